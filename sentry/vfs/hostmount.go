package vfs

import (
	"cmp"
	"slices"
	"strings"

	"cordon/internal/linux"
)

// HostMounts makes mounts on the host, where those on a volume that is shared with it
// come to (SetHost). It names places itself: a target begins with the volume's name. It
// is called without locks and may wait for the host.
type HostMounts interface {
	// Bind mounts on target what is at source and has these numbers. It returns the
	// mount's number: 0 where the host has no part in what is mounted on target.
	Bind(target, source string, dev, ino uint64) (id uint64, err error)
	// Tmpfs mounts a new tmpfs.
	Tmpfs(target, options string, flags linux.MountFlags) (id uint64, err error)
	// Unmount takes a mount away that is at target, if it is still there.
	Unmount(target string, id uint64) error
}

// A HostPlaced file system is the host's: it knows where an inode is as a source of
// HostMounts.
type HostPlaced interface {
	HostPlace(i Inode) (p HostPlace, ok bool)
}

// A HostPlace is an inode of the host: where it is, and by what it is told from others.
type HostPlace struct {
	Path     string
	Dev, Ino uint64
}

// hostSide is a Mount's part in what the host has of the tree. Guarded by vfs.mountMu.
type hostSide struct {
	to   HostMounts // mounts on it come there while it is shared; nil: they do not
	name string     // of a volume: what its targets begin with
	id   uint64     // what the host has for it; 0: nothing
	self bool       // it shows what it covers
}

// SetHost has mounts on m, and on those, come to the host while m is shared: m is what h
// knows as name.
func SetHost(m *Mount, h HostMounts, name string) {
	v := m.vfs
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	if m.group != nil {
		m.host = hostSide{to: h, name: name}
		v.hosting.Store(true)
	}
}

// HostPlaceOf returns where i is on the host, if it is there.
func HostPlaceOf(i Inode) (HostPlace, bool) {
	if h, ok := i.FileSystem().(HostPlaced); ok {
		return h.HostPlace(i)
	}
	return HostPlace{}, false
}

// namesLocked returns the names on the way from p up to the root of a mount that last
// says, deepest first. ok is false if that is not above p.
func (p Path) namesLocked(last func(*Mount) bool) (names []string, ok bool) {
	for {
		for d := p.Dentry; d != p.Mount.root; {
			at := d.place.Load()
			if at.parent == d {
				return nil, false
			}
			names = append(names, at.name)
			d = at.parent
		}
		if last(p.Mount) {
			return names, true
		}
		if p.Mount.parent == nil {
			return nil, false
		}
		p = Path{p.Mount.parent, p.Mount.point}
	}
}

func pathOf(deepestFirst []string) string {
	slices.Reverse(deepestFirst)
	return strings.Join(deepestFirst, "/")
}

// hostTargetLocked returns p as a target; ok is false if mounts there do not come to the
// host.
func (p Path) hostTargetLocked() (target string, ok bool) {
	var volume *Mount
	names, ok := p.namesLocked(func(m *Mount) bool {
		volume = m
		return m.host.name != "" || m.host.to == nil
	})
	if !ok || volume.host.to == nil {
		return "", false
	}
	return pathOf(append(names, volume.host.name)), true
}

// A hostMount is a mount that the host is to have, or has, for m on on. It is at target,
// in a tree that is at top.
type hostMount struct {
	on, m  *Mount
	to     HostMounts
	target string
	top    string
	source HostPlace
	self   bool
	id     uint64 // 0: none
}

// A hostPlan is in the order in which the host makes it, so that nothing covers the place
// of what comes after it: deep trees first, each from its top.
type hostPlan []hostMount

func (plan hostPlan) sort() {
	depth := func(h hostMount) int { return strings.Count(h.top, "/") }
	slices.SortStableFunc(plan, func(a, b hostMount) int { return depth(b) - depth(a) })
}

// hostPlanLocked says what the host is to have when the tree m is grafted at p.
func (m *Mount) hostPlanLocked(p Path) (plan hostPlan, err error) {
	if !m.vfs.hosting.Load() {
		return nil, nil
	}
	p = p.throughLocked()
	for _, r := range append([]*Mount{p.Mount}, p.receiversLocked()...) {
		on := Path{r, p.Dentry}.throughLocked()
		top, ok := on.hostTargetLocked()
		if !ok {
			continue
		}
		for t := range m.treeLocked() {
			h := hostMount{on: on.Mount, m: t, to: on.Mount.host.to, target: top, top: top}
			point := p.Dentry
			if t != m {
				names, ok := Path{t.parent, t.point}.namesLocked(func(o *Mount) bool { return o == m })
				if !ok {
					return nil, linux.EINVAL
				}
				h.target, point = top+"/"+pathOf(names), t.point
			}
			if h.source, ok = HostPlaceOf(t.root.inode); !ok {
				return nil, linux.EOPNOTSUPP
			}
			under, _ := HostPlaceOf(point.inode)
			h.self = under.Dev == h.source.Dev && under.Ino == h.source.Ino
			plan = append(plan, h)
		}
	}
	plan.sort()
	return plan, nil
}

// make has the host make all of the plan, or nothing.
func (plan hostPlan) make() (err error) {
	for i := range plan {
		h := &plan[i]
		if h.id, err = h.to.Bind(h.target, h.source.Path, h.source.Dev, h.source.Ino); err != nil {
			plan[:i].undo()
			return err
		}
	}
	return nil
}

// undo has the host take away what it has of the plan, the last first. What it cannot
// take away stays there, and is no part of the tree here.
func (plan hostPlan) undo() {
	for i := range slices.Backward(plan) {
		if h := &plan[i]; h.id != 0 {
			_ = h.to.Unmount(h.target, h.id)
		}
	}
}

// noteLocked gives the tree k, a copy of m or itself, what the host has made for it where
// it is attached now.
func (plan hostPlan) noteLocked(m, k *Mount) {
	var of []*Mount
	for t := range m.treeLocked() {
		of = append(of, t)
	}
	for t := range k.treeLocked() {
		t.host = hostSide{}
		for i := range plan {
			if h := &plan[i]; h.m == of[0] && h.on == k.parent && h.id != 0 {
				t.host = hostSide{to: h.to, id: h.id, self: h.self}
				h.id = 0
			}
		}
		of = of[1:]
	}
}

// graftHostLocked is graftLocked after the host has made what it is to have. For that it
// gives up the lock: check, which asks whether the graft may be, is called before and
// after.
func (v *VFS) graftHostLocked(m *Mount, p Path, check func() error) error {
	if err := check(); err != nil {
		return err
	}
	plan, err := m.hostPlanLocked(p)
	if err != nil || len(plan) == 0 {
		if err == nil {
			v.graftLocked(m, p, nil)
		}
		return err
	}
	v.mountMu.Unlock()
	err = plan.make()
	v.mountMu.Lock()
	if err != nil {
		return err
	}
	if err = check(); err == nil {
		v.graftLocked(m, p, plan)
	}
	// What has changed meanwhile is not on the host.
	v.mountMu.Unlock()
	plan.undo()
	v.mountMu.Lock()
	return err
}

// hostedLocked returns what the host has for the tree m.
func (m *Mount) hostedLocked() (plan hostPlan) {
	if !m.vfs.hosting.Load() {
		return nil
	}
	top := ""
	for t := range m.treeLocked() {
		if t.host.id == 0 || t.parent == nil {
			continue
		}
		if target, ok := (Path{t.parent, t.point}).hostTargetLocked(); ok {
			top = cmp.Or(top, target)
			plan = append(plan, hostMount{m: t, to: t.parent.host.to, target: target, top: top, id: t.host.id})
		}
	}
	return plan
}

// mountHostTmpfs mounts a tmpfs of the host at p if mounts there come to it: done is false
// if they do not.
func (v *VFS) mountHostTmpfs(p Path, source string, flags linux.MountFlags, data string) (done bool, err error) {
	if !v.hosting.Load() {
		return false, nil
	}
	v.mountMu.RLock()
	p = p.throughLocked()
	target, hosted := p.hostTargetLocked()
	to, volume := p.Mount.host.to, p.Mount.host.name != ""
	v.mountMu.RUnlock()
	switch {
	case !hosted:
		return false, nil
	case !volume, p.Dentry == p.Mount.root:
		return true, linux.EOPNOTSUPP
	case !p.Dentry.IsDir():
		return true, linux.ENOTDIR
	}
	id, err := to.Tmpfs(target, data, flags)
	if err != nil || id == 0 {
		return err != nil, err
	}
	plan := hostPlan{{on: p.Mount, to: to, target: target, id: id}}
	defer func() { plan.undo() }()
	root, err := p.hostRoot()
	if err != nil {
		return true, err
	}
	root.sb.refs.Add(1)
	m := newMount(root.sb, root, source, mountFlags(flags))
	plan[0].m = m
	v.mountMu.Lock()
	if err = m.mayGraftLocked(p); err == nil {
		v.graftLocked(m, p, plan)
	}
	ns := p.Mount.ns
	v.mountMu.Unlock()
	if err != nil {
		m.decRef()
		return true, err
	}
	ns.changed()
	return true, nil
}

// hostRoot returns a root for a mount that shows what the host has mounted at p meanwhile.
func (p Path) hostRoot() (*Dentry, error) {
	parent := p.Dentry.Parent()
	parent.kids.dir.Lock()
	inode, err := parent.kids.names.Lookup(p.Dentry.Name())
	parent.kids.dir.Unlock()
	if err != nil {
		return nil, err
	}
	if inode == p.Dentry.inode {
		return nil, linux.EIO
	}
	return newDentry(p.Dentry.sb, nil, "", inode)
}

// checkHost takes away what is mounted at p if the host has taken it away there.
func (p Path) checkHost() {
	v, r := p.Mount.vfs, p.Dentry.sb.revalidate
	if r == nil {
		return
	}
	v.mountMu.RLock()
	m := v.mounts[mountKey{p.Mount, p.Dentry}]
	// Where something else is mounted below the volume the file system shows other places.
	ask := m != nil && m.host.id != 0 && !m.host.self && p.Mount.host.name != "" && p.Dentry != p.Mount.root
	v.mountMu.RUnlock()
	if !ask || !r.Revalidate(p.Dentry.Parent().inode, p.Dentry.Name(), p.Dentry.inode) {
		return
	}
	v.mountMu.Lock()
	if v.mounts[mountKey{p.Mount, p.Dentry}] != m {
		v.mountMu.Unlock()
		return
	}
	m.takeAwayUnlock()
}
