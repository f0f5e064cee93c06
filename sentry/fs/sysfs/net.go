package sysfs

import (
	"fmt"
	"slices"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/textfs"
	"cordon/sentry/vfs"
)

// net fills /sys/class/net and /sys/devices/virtual/net, whose names are those
// of the devices that there are.
func (b *builder) net(class, virtual *textfs.Dir) {
	class.Add("net", b.fs.NewDynamic(0o555, func(name string) (vfs.Inode, error) {
		if _, ok := b.device(name); !ok {
			return nil, linux.ENOENT
		}
		l := b.fs.NewLinkTo("../../devices/virtual/net/" + name)
		l.IsValid = func() bool { _, ok := b.device(name); return ok }
		return l, nil
	}, b.listNet))
	virtual.Add("net", b.fs.NewDynamic(0o555, func(name string) (vfs.Inode, error) {
		if _, ok := b.device(name); !ok {
			return nil, linux.ENOENT
		}
		return b.netDevice(name), nil
	}, b.listNet))
}

func (b *builder) devices() []NetDevice {
	if b.o.Net == nil {
		return nil
	}
	return b.o.Net()
}

func (b *builder) device(name string) (NetDevice, bool) {
	for _, d := range b.devices() {
		if d.Name == name {
			return d, true
		}
	}
	return NetDevice{}, false
}

// listNet lists devices at the offset that their index gives.
func (b *builder) listNet(off int64, emit func(vfs.Dirent) bool) error {
	all := b.devices()
	slices.SortFunc(all, func(x, y NetDevice) int { return x.Index - y.Index })
	for _, d := range all {
		at := textfs.FirstName + int64(d.Index)
		if at < off {
			continue
		}
		if !emit(vfs.Dirent{Name: d.Name, Ino: 1<<32 + uint64(d.Index), Type: uint8(linux.DT_LNK), Next: at + 1}) {
			break
		}
	}
	return nil
}

// netFiles are the files of a device's directory.
func netFiles() []netFile {
	num := func(n int) string { return strconv.Itoa(n) }
	return []netFile{
		{"address", func(d *NetDevice) string { return d.Address }},
		{"addr_len", func(*NetDevice) string { return "6" }},
		{"broadcast", func(d *NetDevice) string { return d.Broadcast }},
		{"carrier", func(d *NetDevice) string { return oneIf(d.Up) }},
		{"dev_id", func(*NetDevice) string { return "0x0" }},
		{"dormant", func(*NetDevice) string { return "0" }},
		{"flags", func(d *NetDevice) string { return fmt.Sprintf("0x%x", d.Flags) }},
		{"ifindex", func(d *NetDevice) string { return num(d.Index) }},
		{"iflink", func(d *NetDevice) string { return num(d.Link) }},
		{"mtu", func(d *NetDevice) string { return num(d.MTU) }},
		{"operstate", operState},
		{"tx_queue_len", func(*NetDevice) string { return "1000" }},
		{"type", func(d *NetDevice) string { return num(int(d.Type)) }},
	}
}

type netFile struct {
	name string
	text func(d *NetDevice) string
}

func oneIf(up bool) string {
	if up {
		return "1"
	}
	return "0"
}

// operState is RFC 2863's state; a loopback device knows none.
func operState(d *NetDevice) string {
	const loopback = 0x8
	switch {
	case d.Flags&loopback != 0:
		return "unknown"
	case d.Up:
		return "up"
	}
	return "down"
}

func (b *builder) netDevice(name string) vfs.Inode {
	dir := b.fs.NewDir(0o555)
	file := func(to *textfs.Dir, n string, text func(d *NetDevice) string) {
		f := b.fs.NewFile(0o444, func(*cred.Credentials) ([]byte, error) {
			d, ok := b.device(name)
			if !ok {
				return nil, linux.ENODEV
			}
			return []byte(text(&d) + "\n"), nil
		})
		f.IsValid = func() bool { _, ok := b.device(name); return ok }
		to.Add(n, f)
	}
	for _, f := range netFiles() {
		file(dir, f.name, f.text)
	}
	stats := dir.Sub("statistics", 0o555)
	if d, ok := b.device(name); ok {
		var names []string
		for k := range d.Stats {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			file(stats, k, func(d *NetDevice) string { return strconv.FormatUint(d.Stats[k], 10) })
		}
	}
	dir.Add("subsystem", b.fs.NewLinkTo("../../../../class/net"))
	return dir
}
