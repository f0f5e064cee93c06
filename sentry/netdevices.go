package sentry

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/fs/sysfs"
	"cordon/sentry/socket"
)

// netDevices are the interfaces that /sys/class/net shows: those of the first
// network namespace, whichever they are by now.
func (k *Kernel) netDevices() []sysfs.NetDevice {
	ns, ok := k.spaces.Net.(*socket.Namespace)
	if !ok {
		return nil // being made
	}
	var out []sysfs.NetDevice
	for _, i := range ns.Interfaces() {
		out = append(out, netDevice(&i))
	}
	return out
}

func netDevice(i *netstack.Interface) sysfs.NetDevice {
	d := sysfs.NetDevice{
		Name: i.Name, Index: int(i.Index), Address: station(i.HWAddr), Broadcast: "ff:ff:ff:ff:ff:ff", MTU: int(i.MTU),
		Type: socket.HardwareType(i), Up: i.Up,
		Stats: map[string]uint64{
			"rx_bytes": i.Counters.RxBytes, "rx_packets": i.Counters.RxPackets, "rx_dropped": i.Counters.RxDropped, "rx_errors": i.Counters.RxErrors,
			"tx_bytes": i.Counters.TxBytes, "tx_packets": i.Counters.TxPackets, "tx_dropped": i.Counters.TxDropped, "tx_errors": 0,
			"multicast": 0, "collisions": 0,
		},
	}
	// Without what rtnetlink alone shows: IFF_RUNNING and IFF_LOWER_UP.
	flags := socket.IfFlagsOf(i) &^ (linux.IFF_RUNNING | linux.IFF_LOWER_UP)
	if i.Loopback {
		d.Broadcast = "00:00:00:00:00:00"
	}
	d.Flags = uint32(flags)
	return d
}

func station(a [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}
