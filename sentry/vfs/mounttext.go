package vfs

import (
	"fmt"
	"slices"
	"strings"

	"cordon/internal/linux"
)

// listed is one mount as the files under /proc show it.
type listed struct {
	m           *Mount
	parent      int32
	root, point string
	group       int32
	master      int32
	unbind      bool
}

// list returns the mounts below root that root can reach, parents first.
func (ns *MountNamespace) list(root Path) []listed {
	v := ns.vfs
	v.mountMu.RLock()
	var ms []*Mount
	for m := range ns.root.treeLocked() {
		ms = append(ms, m)
	}
	out := make([]listed, 0, len(ms))
	for _, m := range ms {
		l := listed{m: m, parent: m.id, unbind: m.unbind}
		if m.parent != nil {
			l.parent = m.parent.id
		}
		if m.group != nil {
			l.group = m.group.id
		}
		if m.master != nil {
			l.master = m.master.id
		}
		out = append(out, l)
	}
	v.mountMu.RUnlock()
	kept := out[:0]
	for _, l := range out {
		point, ok := Path{l.m, l.m.root}.text(root)
		if !ok && (Path{l.m, l.m.root}) != root {
			continue
		}
		l.point = point
		l.root = l.m.root.inFS()
		if o, ok := l.m.sb.fs.(Placed); ok && o.Place() != "" {
			l.root = strings.TrimSuffix(strings.TrimSuffix(o.Place(), "/")+l.root, "/")
			if l.root == "" {
				l.root = "/"
			}
		}
		kept = append(kept, l)
	}
	slices.SortStableFunc(kept, func(a, b listed) int { return int(a.m.id - b.m.id) })
	return kept
}

// inFS returns d's path in its file system.
func (d *Dentry) inFS() string {
	var names []string
	for {
		p := d.place.Load()
		if p.parent == d {
			break
		}
		names = append(names, p.name)
		d = p.parent
	}
	if len(names) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, n := range slices.Backward(names) {
		b.WriteByte('/')
		b.WriteString(n)
	}
	return b.String()
}

// escape writes s as /proc/mounts does: blanks, backslashes and # in octal.
func escape(s string) string {
	if !strings.ContainsAny(s, " \t\n\\#") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\\', '#':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (m *Mount) ownOptions() string {
	s := "rw"
	if m.has(linux.MS_RDONLY) {
		s = "ro"
	}
	for _, o := range [...]struct {
		f    linux.MountFlags
		name string
	}{
		{linux.MS_NOSUID, ",nosuid"}, {linux.MS_NODEV, ",nodev"}, {linux.MS_NOEXEC, ",noexec"},
		{linux.MS_NOATIME, ",noatime"}, {linux.MS_NODIRATIME, ",nodiratime"},
		{linux.MS_RELATIME, ",relatime"}, {linux.MS_NOSYMFOLLOW, ",nosymfollow"},
	} {
		if m.has(o.f) {
			s += o.name
		}
	}
	if m.IDMapped() {
		s += ",idmapped"
	}
	return s
}

func (sb *superblock) options() string {
	s := ""
	f := linux.MountFlags(sb.flags.Load())
	if f&linux.MS_SYNCHRONOUS != 0 {
		s += ",sync"
	}
	if f&linux.MS_DIRSYNC != 0 {
		s += ",dirsync"
	}
	if f&linux.MS_MANDLOCK != 0 {
		s += ",mand"
	}
	if f&linux.MS_LAZYTIME != 0 {
		s += ",lazytime"
	}
	if o, ok := sb.fs.(MountOptioner); ok {
		if more := o.MountOptions(); more != "" {
			s += "," + strings.TrimPrefix(more, ",")
		}
	}
	return s
}

func (sb *superblock) rw() string {
	if sb.readOnly.Load() {
		return "ro"
	}
	return "rw"
}

// MountsText is /proc/pid/mounts for a process with this root.
func (ns *MountNamespace) MountsText(root Path) []byte {
	var b strings.Builder
	for _, l := range ns.list(root) {
		sb := l.m.sb
		opts := l.m.ownOptions()
		if sb.readOnly.Load() && !l.m.has(linux.MS_RDONLY) {
			opts = "ro" + strings.TrimPrefix(opts, "rw")
		}
		fmt.Fprintf(&b, "%s %s %s %s%s 0 0\n", escape(l.m.source), escape(l.point), sb.fs.Type(), opts, sb.options())
	}
	return []byte(b.String())
}

// MountInfoText is /proc/pid/mountinfo.
func (ns *MountNamespace) MountInfoText(root Path) []byte {
	var b strings.Builder
	for _, l := range ns.list(root) {
		sb := l.m.sb
		fmt.Fprintf(&b, "%d %d %d:%d %s %s %s", l.m.id, l.parent, linux.DevMajor(sb.dev), linux.DevMinor(sb.dev),
			escape(l.root), escape(l.point), l.m.ownOptions())
		if l.group != 0 {
			fmt.Fprintf(&b, " shared:%d", l.group)
		}
		if l.master != 0 {
			fmt.Fprintf(&b, " master:%d", l.master)
		}
		if l.unbind {
			b.WriteString(" unbindable")
		}
		fmt.Fprintf(&b, " - %s %s %s%s\n", sb.fs.Type(), escape(l.m.source), sb.rw(), sb.options())
	}
	return []byte(b.String())
}

// MountStatsText is /proc/pid/mountstats.
func (ns *MountNamespace) MountStatsText(root Path) []byte {
	var b strings.Builder
	for _, l := range ns.list(root) {
		fmt.Fprintf(&b, "device %s mounted on %s with fstype %s\n", escape(l.m.source), escape(l.point), l.m.sb.fs.Type())
	}
	return []byte(b.String())
}

// FileSystemsText is /proc/filesystems.
func (v *VFS) FileSystemsText() []byte {
	var names []string
	for n := range v.types {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, n := range names {
		dev := ""
		if v.types[n].NoDev {
			dev = "nodev"
		}
		fmt.Fprintf(&b, "%s\t%s\n", dev, n)
	}
	return []byte(b.String())
}

// DevicesText is /proc/devices.
func (v *VFS) DevicesText() []byte {
	var b strings.Builder
	for _, kind := range []bool{false, true} {
		if kind {
			b.WriteString("\nBlock devices:\n")
		} else {
			b.WriteString("Character devices:\n")
		}
		var majors []deviceKey
		for k := range v.drivers {
			if k.block == kind {
				majors = append(majors, k)
			}
		}
		slices.SortFunc(majors, func(a, b deviceKey) int { return int(a.major) - int(b.major) })
		for _, k := range majors {
			fmt.Fprintf(&b, "%3d %s\n", k.major, v.drivers[k])
		}
	}
	return []byte(b.String())
}
