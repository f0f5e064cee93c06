package sysfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	zero := func(*NetDevice) string { return "0" }
	return []netFile{
		{"address", func(d *NetDevice) string { return d.Address }},
		{"addr_len", func(d *NetDevice) string { return num((len(d.Address) + 1) / 3) }}, // bytes as "xx:xx"
		{"broadcast", func(d *NetDevice) string { return d.Broadcast }},
		{"carrier", func(d *NetDevice) string { return oneIf(d.Carrier) }},
		{"carrier_changes", zero}, {"carrier_down_count", zero}, {"carrier_up_count", zero},
		{"dev_id", func(*NetDevice) string { return "0x0" }},
		{"dev_port", zero},
		{"dormant", zero},
		{"flags", func(d *NetDevice) string { return fmt.Sprintf("0x%x", d.Flags) }},
		{"ifalias", func(*NetDevice) string { return "" }},
		{"ifindex", func(d *NetDevice) string { return num(d.Index) }},
		{"iflink", func(d *NetDevice) string { return num(d.Link) }},
		{"link_mode", zero},
		{"mtu", func(d *NetDevice) string { return num(d.MTU) }},
		{"name_assign_type", func(*NetDevice) string { return "3" }},
		{"netdev_group", zero},
		{"operstate", func(d *NetDevice) string { return d.OperState }},
		{"proto_down", zero}, {"testing", zero}, {"threaded", zero},
		{"tx_queue_len", func(d *NetDevice) string { return num(d.QueueLength) }},
		{"type", func(d *NetDevice) string { return num(int(d.Type)) }},
		{"uevent", func(d *NetDevice) string {
			t := ""
			if d.Class != "" {
				t = "DEVTYPE=" + d.Class + "\n"
			}
			return t + "INTERFACE=" + d.Name + "\nIFINDEX=" + num(d.Index)
		}},
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

// netDevice is the directory of a device.
func (b *builder) netDevice(name string) vfs.Inode {
	return b.netDir(name, func(d *NetDevice) (g NetGroup, ok bool) {
		for _, f := range netFiles() {
			g.Files = append(g.Files, NetText{Name: f.name, Text: f.text(d) + "\n", Mode: 0o444})
		}
		g.Files = append(g.Files, d.Files...)
		g.Groups = append([]NetGroup{{Name: "statistics", Files: statistics(d)}}, d.Groups...)
		g.Links = append([]NetLink{{"subsystem", "../../../../class/net"}}, d.Links...)
		return g, true
	}, "")
}

func statistics(d *NetDevice) (out []NetText) {
	for k, v := range d.Stats {
		out = append(out, NetText{Name: k, Text: strconv.FormatUint(v, 10) + "\n", Mode: 0o444})
	}
	slices.SortFunc(out, func(x, y NetText) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// netDir is a directory of a device, whose names what finds in what the device is now. path is the directory's, below the
// device's.
func (b *builder) netDir(device string, what func(d *NetDevice) (NetGroup, bool), path string) *textfs.Dynamic {
	now := func() (NetGroup, bool) {
		d, ok := b.device(device)
		if !ok {
			return NetGroup{}, false
		}
		return what(&d)
	}
	dir := b.fs.NewDynamic(0o555, func(name string) (vfs.Inode, error) {
		g, ok := now()
		if !ok {
			return nil, linux.ENOENT
		}
		return b.netEntry(device, &g, what, path, name)
	}, func(off int64, emit func(vfs.Dirent) bool) error {
		g, ok := now()
		if !ok {
			return nil
		}
		listGroup(&g, off, emit)
		return nil
	})
	dir.IsValid = func() bool { _, ok := now(); return ok }
	return dir
}

// netEntry makes the inode of a name in a directory of a device.
func (b *builder) netEntry(device string, g *NetGroup, what func(*NetDevice) (NetGroup, bool), path, name string) (vfs.Inode, error) {
	for _, f := range g.Files {
		if f.Name == name {
			return b.netText(device, what, path, &f), nil
		}
	}
	for _, l := range g.Links {
		if l.Name == name {
			link := b.fs.NewLinkTo(l.Target)
			link.IsValid = func() bool {
				now, ok := b.group(device, what)
				return ok && slices.Contains(now.Links, l)
			}
			return link, nil
		}
	}
	for _, sub := range g.Groups {
		if sub.Name == name {
			return b.netDir(device, func(d *NetDevice) (NetGroup, bool) {
				g, ok := what(d)
				if !ok {
					return g, false
				}
				for _, s := range g.Groups {
					if s.Name == name {
						return s, true
					}
				}
				return NetGroup{}, false
			}, path+name+"/"), nil
		}
	}
	return nil, linux.ENOENT
}

func (b *builder) group(device string, what func(*NetDevice) (NetGroup, bool)) (NetGroup, bool) {
	d, ok := b.device(device)
	if !ok {
		return NetGroup{}, false
	}
	return what(&d)
}

func (b *builder) netText(device string, what func(*NetDevice) (NetGroup, bool), path string, f *NetText) vfs.Inode {
	name := f.Name
	find := func() (string, bool) {
		g, ok := b.group(device, what)
		if !ok {
			return "", false
		}
		for _, f := range g.Files {
			if f.Name == name {
				return f.Text, true
			}
		}
		return "", false
	}
	file := b.fs.NewFile(f.Mode, func(*cred.Credentials) ([]byte, error) {
		t, ok := find()
		if !ok {
			return nil, linux.ENODEV
		}
		return []byte(t), nil
	})
	const writable = 0o200
	if f.Mode&writable != 0 {
		file.Take = func(c *vfs.Caller, text []byte) error {
			if b.o.SetNet == nil {
				return linux.EPERM
			}
			return b.o.SetNet(c, device, path+name, string(text))
		}
	}
	file.IsValid = func() bool { _, ok := find(); return ok }
	file.MayOpen = func(_ *vfs.Caller, flags linux.OpenFlags) error { return mayOpen(f.Mode, flags) }
	return file
}

// mayOpen refuses what the file does not do, to whomever (Linux: fs/kernfs/file.c kernfs_fop_open).
func mayOpen(mode linux.FileMode, flags linux.OpenFlags) error {
	const readable, writable = 0o444, 0o222
	a := flags & linux.O_ACCMODE
	if a != linux.O_WRONLY && mode&readable == 0 || a != linux.O_RDONLY && mode&writable == 0 {
		return linux.EACCES
	}
	return nil
}

// listGroup lists a directory's names: files, directories, links.
func listGroup(g *NetGroup, off int64, emit func(vfs.Dirent) bool) {
	type entry struct {
		name string
		typ  linux.DirentType
	}
	var all []entry
	for _, f := range g.Files {
		all = append(all, entry{f.Name, linux.DT_REG})
	}
	for _, s := range g.Groups {
		all = append(all, entry{s.Name, linux.DT_DIR})
	}
	for _, l := range g.Links {
		all = append(all, entry{l.Name, linux.DT_LNK})
	}
	for k := int(off - textfs.FirstName); k >= 0 && k < len(all); k++ {
		e := vfs.Dirent{Name: all[k].name, Ino: 1<<33 + uint64(k), Type: uint8(all[k].typ), Next: textfs.FirstName + int64(k) + 1}
		if !emit(e) {
			return
		}
	}
}
