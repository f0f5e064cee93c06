package sentry

import (
	"fmt"
	"strconv"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/fs/sysfs"
	"cordon/sentry/socket"
	"cordon/sentry/socket/tun"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// networkOf is the network namespace of who mounts a file system: a task's, or the
// first for the kernel itself, which may be made only later.
func (k *Kernel) networkOf(c *vfs.Caller) func() *socket.Namespace {
	if c != nil {
		if t, ok := c.Job.(*task.Task); ok && t.Namespaces() != nil {
			n, _ := t.Namespaces().Net.(*socket.Namespace)
			return func() *socket.Namespace { return n }
		}
	}
	return func() *socket.Namespace {
		n, _ := k.spaces.Net.(*socket.Namespace)
		return n
	}
}

// netDevices are the interfaces that /sys/class/net shows.
func netDevices(n *socket.Namespace) []sysfs.NetDevice {
	if n == nil {
		return nil
	}
	var out []sysfs.NetDevice
	for _, i := range n.Interfaces() {
		d := netDevice(&i)
		if n.Stack != nil {
			bridgeDevice(n, &i, &d)
			tunDevice(n, &i, &d)
		}
		out = append(out, d)
	}
	return out
}

func netDevice(i *netstack.Interface) sysfs.NetDevice {
	c := &i.Counters
	d := sysfs.NetDevice{
		Name: i.Name, Index: int(i.Index), Link: int(i.Link), Address: station(i.HWAddr), Broadcast: "ff:ff:ff:ff:ff:ff", MTU: int(i.MTU),
		Type: socket.HardwareType(i), QueueLength: int(socket.QueueLength(i)), Carrier: i.Up && i.Carrier,
		OperState: operState(i),
		Stats: map[string]uint64{
			"rx_bytes": c.RxBytes, "rx_packets": c.RxPackets, "rx_dropped": c.RxDropped, "rx_errors": c.RxErrors,
			"tx_bytes": c.TxBytes, "tx_packets": c.TxPackets, "tx_dropped": c.TxDropped, "tx_errors": 0,
			"multicast": 0, "collisions": 0,
		},
	}
	// Without what rtnetlink alone shows: IFF_RUNNING and IFF_LOWER_UP.
	d.Flags = uint32(socket.IfFlagsOf(i) &^ (linux.IFF_RUNNING | linux.IFF_LOWER_UP))
	if i.Master != 0 {
		d.Flags |= uint32(linux.IFF_PROMISC | linux.IFF_ALLMULTI)
	}
	switch {
	case i.Loopback:
		d.Broadcast = station([6]byte{})
	case i.Bare:
		d.Address, d.Broadcast = "", ""
	}
	return d
}

// tunDevice adds what /sys shows of an interface of tun(4).
func tunDevice(n *socket.Namespace, i *netstack.Interface, d *sysfs.NetDevice) {
	t := n.Stack.TunOf(i.Index)
	if t == nil {
		return
	}
	c := t.Conf()
	d.Files = append(d.Files, textFile("tun_flags", fmt.Sprintf("%#x", tun.Flags(t))),
		textFile("owner", strconv.Itoa(int(int32(c.Owner)))), textFile("group", strconv.Itoa(int(int32(c.Group)))))
}

func station(a [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}
