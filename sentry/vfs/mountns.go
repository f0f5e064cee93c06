package vfs

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/wait"
)

// A MountNamespace is a tree of mounts that some processes see. It is counted;
// the last DecRef unmounts all of it.
type MountNamespace struct {
	// immutable
	vfs  *VFS
	user *cred.UserNamespace
	// unnamed is set for that of a Tree, which no process is in.
	unnamed bool

	refs atomic.Int64

	// guarded by vfs.mountMu
	root  *Mount // nil: of a Tree that has been mounted
	count int

	event atomic.Uint64
	queue wait.Queue // notified (Pri|Err) when the tree changes, for /proc/mounts
}

// NewNamespace returns a namespace whose root shows fs.
func (v *VFS) NewNamespace(user *cred.UserNamespace, fs FileSystem, source string, flags linux.MountFlags) (*MountNamespace, error) {
	sb, err := v.superOf(fs, nil)
	if err != nil {
		return nil, err
	}
	ns := &MountNamespace{vfs: v, user: user}
	ns.refs.Store(1)
	m := newMount(sb, sb.root, source, flags)
	m.ns, ns.root, ns.count = ns, m, 1
	return ns, nil
}

// Root returns the namespace's root directory, through what is mounted on it.
func (ns *MountNamespace) Root() Path {
	ns.vfs.mountMu.RLock()
	defer ns.vfs.mountMu.RUnlock()
	return Path{ns.root, ns.root.root}.throughLocked()
}

// VFS returns the VFS that the namespace is of.
func (ns *MountNamespace) VFS() *VFS { return ns.vfs }

// UserNS returns the user namespace that owns ns.
func (ns *MountNamespace) UserNS() *cred.UserNamespace { return ns.user }

// Queue is notified whenever the tree changes (poll of /proc/self/mounts), and
// Event counts the changes.
func (ns *MountNamespace) Queue() *wait.Queue { return &ns.queue }

// Event returns how often the tree has changed.
func (ns *MountNamespace) Event() uint64 { return ns.event.Load() }

func (ns *MountNamespace) changed() {
	if ns != nil {
		ns.event.Add(1)
		ns.queue.Notify(wait.Pri | wait.Err)
	}
}

// IncRef counts another process that sees ns.
func (ns *MountNamespace) IncRef() { ns.refs.Add(1) }

// DecRef undoes an IncRef or the making of ns.
func (ns *MountNamespace) DecRef() {
	if ns.refs.Add(-1) > 0 {
		return
	}
	mu := &ns.vfs.mountMu
	mu.Lock()
	if ns.root == nil {
		mu.Unlock()
		return
	}
	ns.root.unhookLocked()
	gone := ns.root.releaseTreeLocked()
	mu.Unlock()
	decAll(gone)
}

func decAll(ms []*Mount) {
	for _, m := range ms {
		m.decRef()
	}
}

// Clone copies ns for CLONE_NEWNS. paths (the new task's root and working
// directory) are changed to the same places in the copy; the caller counts
// them anew. Where user differs from the owner of ns, the copy receives from
// the original and not the other way round (Linux: CL_SHARED_TO_SLAVE).
func (ns *MountNamespace) Clone(user *cred.UserNamespace, paths ...*Path) *MountNamespace {
	v := ns.vfs
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	c := &MountNamespace{vfs: v, user: user}
	c.refs.Store(1)
	copies := make(map[*Mount]*Mount)
	c.root = copyTreeLocked(ns.root, ns.root.root, copyAll, copies)
	for m := range c.root.treeLocked() {
		m.ns = c
		c.count++
		if user != ns.user && m.group != nil {
			g := m.group
			m.leaveGroupsLocked()
			m.receiveLocked(g)
		}
	}
	for _, p := range paths {
		if m := copies[p.Mount]; m != nil {
			p.Mount = m
		}
	}
	return c
}

// copyMode says what copyTreeLocked copies.
type copyMode uint8

const (
	copyOne      copyMode = iota // the mount alone
	copyBindable                 // the tree without unbindable mounts
	copyAll                      // the tree
)

// copyTreeLocked copies m, showing root, and what is mounted below root.
// Copies join the peer groups of their originals. copies, if not nil, records
// them.
func copyTreeLocked(m *Mount, root *Dentry, mode copyMode, copies map[*Mount]*Mount) *Mount {
	m.sb.refs.Add(1)
	n := newMount(m.sb, root, m.source, linux.MountFlags(m.flags.Load()))
	n.unbind = m.unbind
	n.idmap.Store(m.idmap.Load())
	if m.group != nil {
		n.joinLocked(m.group)
	}
	if m.master != nil {
		n.receiveLocked(m.master)
	}
	if copies != nil {
		copies[m] = n
	}
	if mode == copyOne {
		return n
	}
	for _, c := range m.children {
		if mode == copyBindable && c.unbind || !root.isAncestorOf(c.point) {
			continue
		}
		k := copyTreeLocked(c, c.root, mode, copies)
		k.parent, k.point = n, c.point
		n.children = append(n.children, k)
		c.point.mounted.Add(1)
		m.vfs.setMountLocked(mountKey{n, c.point}, k)
	}
	return n
}

// A peerGroup is mounts that propagate to each other, and to those that
// receive from the group.
type peerGroup struct {
	id    int32
	peers []*Mount // guarded by VFS.mountMu, as all of it
	slave []*Mount
}

func (v *VFS) newGroup() *peerGroup { return &peerGroup{id: v.groupIDs.Add(1)} }

func (m *Mount) joinLocked(g *peerGroup) {
	m.group = g
	g.peers = append(g.peers, m)
}

func (m *Mount) receiveLocked(g *peerGroup) {
	m.master = g
	g.slave = append(g.slave, m)
}

// leaveGroupsLocked makes m private. If it was the last peer of its group,
// those that received from the group receive from what the group received
// from.
func (m *Mount) leaveGroupsLocked() {
	g, up := m.group, m.master
	m.host.to = nil
	if g != nil {
		g.peers = without(g.peers, m)
		m.group = nil
		if len(g.peers) == 0 {
			for _, s := range g.slave {
				s.master = nil
				if up != nil {
					s.receiveLocked(up)
				}
			}
			g.slave = nil
		}
	}
	if up != nil {
		up.slave = without(up.slave, m)
		m.master = nil
	}
}

func without(list []*Mount, m *Mount) []*Mount {
	out := list[:0]
	for _, x := range list {
		if x != m {
			out = append(out, x)
		}
	}
	clear(list[len(out):])
	return out
}

// setPropagationLocked gives m one of MS_SHARED, MS_PRIVATE, MS_SLAVE,
// MS_UNBINDABLE.
func (m *Mount) setPropagationLocked(kind linux.MountFlags) {
	switch kind {
	case linux.MS_SHARED:
		m.unbind = false
		if m.group == nil {
			m.joinLocked(m.vfs.newGroup())
		}
	case linux.MS_SLAVE:
		m.unbind = false
		if g := m.group; g != nil {
			alone := len(g.peers) == 1
			up := m.master
			m.leaveGroupsLocked()
			if !alone {
				m.receiveLocked(g)
			} else if up != nil {
				m.receiveLocked(up)
			}
		}
	default:
		m.leaveGroupsLocked()
		m.unbind = kind == linux.MS_UNBINDABLE
	}
}

// receiversLocked returns those of the mounts that an event at p reaches that show p and
// stand somewhere: not so a copy that is about to be attached.
func (p Path) receiversLocked() []*Mount {
	return slices.DeleteFunc(p.Mount.receiversLocked(), func(r *Mount) bool { return r.ns == nil || !r.root.isAncestorOf(p.Dentry) })
}

// receivers returns the mounts that an event on m reaches, m itself excluded:
// its peers, and those that receive from them, and so on.
func (m *Mount) receiversLocked() []*Mount {
	var out []*Mount
	seen := map[*peerGroup]bool{}
	var visit func(g *peerGroup)
	visit = func(g *peerGroup) {
		if g == nil || seen[g] {
			return
		}
		seen[g] = true
		for _, p := range g.peers {
			if p != m {
				out = append(out, p)
			}
		}
		for _, s := range g.slave {
			if s.group == nil {
				out = append(out, s)
			} else {
				visit(s.group)
			}
		}
	}
	visit(m.group)
	return out
}
