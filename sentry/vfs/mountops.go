package vfs

import (
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// nsOf returns the namespace that c sees, by its root.
func (c *Caller) nsOf() *MountNamespace {
	v := c.Root.Mount.vfs
	v.mountMu.RLock()
	defer v.mountMu.RUnlock()
	return c.Root.Mount.ns
}

// mayMount checks the right to change a namespace's mounts.
func mayMount(c *Caller) error {
	ns := c.nsOf()
	if ns == nil || ns.unnamed {
		return linux.EINVAL
	}
	// Whom landlock restricts may not, as a mount could lead around the rules.
	if !c.Cred.HasIn(linux.CAP_SYS_ADMIN, ns.user) || c.domain() != nil {
		return linux.EPERM
	}
	return nil
}

const propagation = linux.MS_SHARED | linux.MS_PRIVATE | linux.MS_SLAVE | linux.MS_UNBINDABLE

// DoMount is mount(2). at is the caller's working directory.
func DoMount(c *Caller, source, target, fsType string, flags linux.MountFlags, data string) error {
	if flags&linux.MS_MGC_MSK == linux.MS_MGC_VAL {
		flags &^= linux.MS_MGC_MSK
	}
	p, err := Resolve(c, c.Cwd, target, 0)
	if err != nil {
		return err
	}
	if err := mayMount(c); err != nil {
		return err
	}
	switch {
	case flags&linux.MS_REMOUNT != 0 && flags&linux.MS_BIND != 0:
		return remountBind(c, p, flags)
	case flags&linux.MS_REMOUNT != 0:
		return remount(c, p, flags, data)
	case flags&linux.MS_BIND != 0:
		return Bind(c, source, p, flags&linux.MS_REC != 0)
	case flags&propagation != 0:
		return setPropagation(p, flags)
	case flags&linux.MS_MOVE != 0:
		return MoveMount(c, source, p)
	}
	return mountNew(c, source, p, fsType, flags, data)
}

// mountFlags gives the per-mount flags that mount(2)'s flags mean: relatime
// unless something else is asked for.
func mountFlags(flags linux.MountFlags) linux.MountFlags {
	f := flags & perMount
	if flags&(linux.MS_NOATIME|linux.MS_STRICTATIME) == 0 {
		f |= linux.MS_RELATIME
	} else {
		f &^= linux.MS_RELATIME
	}
	if flags&linux.MS_STRICTATIME != 0 {
		f &^= linux.MS_NOATIME
	}
	return f
}

func mountNew(c *Caller, source string, p Path, fsType string, flags linux.MountFlags, data string) error {
	v := p.Mount.vfs
	if fsType == "" {
		return linux.EINVAL
	}
	t, ok := v.types[fsType]
	if !ok {
		return linux.ENODEV
	}
	if err := t.mayCreate(c, c.Cred.UserNS); err != nil {
		return err
	}
	if fsType == "tmpfs" {
		if done, err := v.mountHostTmpfs(p, source, flags, data); done {
			return err
		}
	}
	fs, err := t.New(c, source, data)
	if err != nil {
		return err
	}
	return v.mountFS(fs, p, source, flags, c.Cred.UserNS)
}

func rootNS(ns *cred.UserNamespace) *cred.UserNamespace {
	for ns != nil && ns.Parent != nil {
		ns = ns.Parent
	}
	return ns
}

// Mount shows fs at p, as the kernel does for itself (the container's mounts).
func (v *VFS) Mount(fs FileSystem, p Path, source string, flags linux.MountFlags) error {
	return v.mountFS(fs, p, source, flags, nil)
}

func (v *VFS) mountFS(fs FileSystem, p Path, source string, flags linux.MountFlags, user *cred.UserNamespace) error {
	sb, err := v.superOf(fs, user)
	if err != nil {
		return err
	}
	if flags&linux.MS_RDONLY != 0 {
		sb.readOnly.Store(true)
	}
	sb.flags.Store(uint64(flags & perSuper))
	if source == "" {
		source = "none"
	}
	m := newMount(sb, sb.root, source, mountFlags(flags))
	if err := v.graft(m, p); err != nil {
		m.decRef()
		return err
	}
	return nil
}

// graft attaches the tree m at p and at everything p's mount propagates to.
func (v *VFS) graft(m *Mount, p Path) error {
	v.mountMu.Lock()
	err := v.graftHostLocked(m, p, func() error { return m.mayGraftLocked(p) })
	ns := p.Mount.ns
	v.mountMu.Unlock()
	if err == nil {
		ns.changed()
	}
	return err
}

// graftLocked is graft, which may be, after the host has made plan.
func (v *VFS) graftLocked(m *Mount, p Path, plan hostPlan) {
	m.unhookLocked()
	p = p.throughLocked()
	to := p.receiversLocked()
	shared := p.Mount.group != nil
	if shared {
		for t := range m.treeLocked() {
			t.setPropagationLocked(linux.MS_SHARED)
		}
	}
	m.attachLocked(p)
	plan.noteLocked(m, m)
	for _, r := range to {
		k := copyTreeLocked(m, m.root, copyAll, nil)
		if r.group == nil {
			for t := range k.treeLocked() {
				g := t.group
				t.leaveGroupsLocked()
				t.receiveLocked(g)
			}
		}
		k.attachLocked(Path{r, p.Dentry})
		plan.noteLocked(m, k)
	}
}

// mayGraftLocked checks that there can be a mount at p, and that there is room for
// the tree m.
func (m *Mount) mayGraftLocked(p Path) error {
	if p.Mount.ns == nil {
		return linux.EINVAL
	}
	if p.Dentry.Deleted() {
		return linux.ENOENT
	}
	if m.root.IsDir() != p.Dentry.IsDir() {
		return linux.ENOTDIR
	}
	n := 0
	for range m.treeLocked() {
		n++
	}
	if p.Mount.ns.count+n > MaxMounts {
		return linux.ENOSPC
	}
	return nil
}

// Bind mounts what source names at p (MS_BIND), with everything mounted below
// it if rec.
func Bind(c *Caller, source string, p Path, rec bool) error {
	if source == "" {
		return linux.EINVAL
	}
	from, err := Resolve(c, c.Cwd, source, 0)
	if err != nil {
		return err
	}
	return BindPath(from, p, rec)
}

// BindPath is Bind with the source already found.
func BindPath(from, to Path, rec bool) error {
	v := to.Mount.vfs
	v.mountMu.Lock()
	if from.Mount != v.nsfs && (from.Mount.unbind || from.Mount.ns == nil || from.Mount == v.anon) {
		v.mountMu.Unlock()
		return linux.EINVAL
	}
	mode := copyOne
	if rec {
		mode = copyBindable
	}
	m := copyTreeLocked(from.Mount, from.Dentry, mode, nil)
	err := v.graftHostLocked(m, to, func() error { return m.mayGraftLocked(to) })
	var gone []*Mount
	if err != nil {
		gone = m.releaseTreeLocked()
	}
	ns := to.Mount.ns
	v.mountMu.Unlock()
	decAll(gone)
	if err == nil {
		ns.changed()
	}
	return err
}

func setPropagation(p Path, flags linux.MountFlags) error {
	kind := flags & propagation
	if kind&(kind-1) != 0 || flags&^(propagation|linux.MS_REC|linux.MS_SILENT) != 0 {
		return linux.EINVAL
	}
	if p.Dentry != p.Mount.root {
		return linux.EINVAL
	}
	SetPropagation(p.Mount, kind, flags&linux.MS_REC != 0)
	return nil
}

// SetPropagation gives m, and all below it if rec, one of MS_SHARED,
// MS_PRIVATE, MS_SLAVE and MS_UNBINDABLE.
func SetPropagation(m *Mount, kind linux.MountFlags, rec bool) {
	v := m.vfs
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	for t := range m.treeLocked() {
		t.setPropagationLocked(kind)
		if !rec {
			break
		}
	}
}

// MoveMount moves the mount whose root source names to p (MS_MOVE).
func MoveMount(c *Caller, source string, p Path) error {
	if source == "" {
		return linux.EINVAL
	}
	from, err := Resolve(c, c.Cwd, source, 0)
	if err != nil {
		return err
	}
	return MoveMountPath(from, p)
}

// MoveMountPath is MoveMount with the source already found.
func MoveMountPath(from, to Path) error {
	m, v := from.Mount, to.Mount.vfs
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	ns := m.ns
	if err := v.graftHostLocked(m, to, func() error { return from.mayMoveLocked(to) }); err != nil {
		return err
	}
	ns.changed()
	return nil
}

// mayMoveLocked checks that the mount whose root from is can be moved to.
func (from Path) mayMoveLocked(to Path) error {
	m := from.Mount
	switch {
	case from.Dentry != m.root, m.parent == nil, m.ns != to.Mount.ns, to.Mount.ns == nil:
		return linux.EINVAL
	case m.parent.group != nil:
		return linux.EINVAL
	case m.root.IsDir() != to.Dentry.IsDir():
		return linux.EINVAL
	case to.Dentry.Deleted():
		return linux.ENOENT
	}
	for t := to.Mount; t != nil; t = t.parent {
		if t == m {
			return linux.ELOOP
		}
	}
	return m.mayGraftLocked(to)
}

// Umount is umount2(2).
func Umount(c *Caller, target string, flags linux.UmountFlags) error {
	const known = linux.MNT_FORCE | linux.MNT_DETACH | linux.MNT_EXPIRE | linux.UMOUNT_NOFOLLOW
	if flags&^known != 0 {
		return linux.EINVAL
	}
	var wf WalkFlags
	if flags&linux.UMOUNT_NOFOLLOW != 0 {
		wf = NoFollow
	}
	p, err := Resolve(c, c.Cwd, target, wf)
	if err != nil {
		return err
	}
	if p.Dentry != p.Mount.root {
		return linux.EINVAL
	}
	if err := mayMount(c); err != nil {
		return err
	}
	if flags&linux.MNT_EXPIRE != 0 && flags&(linux.MNT_FORCE|linux.MNT_DETACH) != 0 {
		return linux.EINVAL
	}
	return p.Mount.umount(c, flags)
}

func (m *Mount) umount(c *Caller, flags linux.UmountFlags) error {
	v := m.vfs
	v.mountMu.Lock()
	if m.ns == nil || m.ns != c.Root.Mount.ns || m.parent == nil {
		v.mountMu.Unlock()
		return linux.EINVAL
	}
	if flags&linux.MNT_DETACH == 0 && (m.busyLocked() || len(m.children) > 0) {
		m.expire = false
		v.mountMu.Unlock()
		return linux.EBUSY
	}
	if flags&linux.MNT_EXPIRE != 0 && !m.expire {
		m.expire = true
		v.mountMu.Unlock()
		return linux.EAGAIN
	}
	m.takeAwayUnlock()
	return nil
}

// takeAwayUnlock takes m out of the tree, here and on the host, and gives up the lock.
func (m *Mount) takeAwayUnlock() {
	ns := m.ns
	gone, had := m.umountLocked()
	m.vfs.mountMu.Unlock()
	had.undo()
	for _, g := range gone {
		g.unmounted()
	}
	decAll(gone)
	ns.changed()
}

// umountLocked takes m out of the tree, and what its parent's peers show at the
// same place. It returns what has gone and what the host has of it.
func (m *Mount) umountLocked() (gone []*Mount, had hostPlan) {
	parent, point := m.parent, m.point
	had = m.hostedLocked()
	m.unhookLocked()
	gone = m.releaseTreeLocked()
	for _, r := range parent.receiversLocked() {
		k := m.vfs.mounts[mountKey{r, point}]
		if k == nil || k.sb != m.sb || k.root != m.root || k.busyLocked() || len(k.children) > 0 {
			continue
		}
		had = append(had, k.hostedLocked()...)
		k.unhookLocked()
		gone = append(gone, k.releaseTreeLocked()...)
	}
	had.sort()
	return gone, had
}

// PivotRoot is pivot_root(2) without moving tasks: it returns the old and the
// new root for the caller to do that with FSContext.Replace.
func PivotRoot(c *Caller, newRoot, putOld string) (from, to Path, err error) {
	if err := mayMount(c); err != nil {
		return Path{}, Path{}, err
	}
	n, err := Resolve(c, c.Cwd, newRoot, WantDir)
	if err != nil {
		return Path{}, Path{}, err
	}
	o, err := Resolve(c, c.Cwd, putOld, WantDir)
	if err != nil {
		return Path{}, Path{}, err
	}
	v := n.Mount.vfs
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	return c.Root, n, v.pivotLocked(c.Root, n, o)
}

func (v *VFS) pivotLocked(root, n, o Path) error {
	ns := root.Mount.ns
	switch {
	case ns == nil || n.Mount.ns != ns || o.Mount.ns != ns:
		return linux.EINVAL
	case n.Dentry.Deleted():
		return linux.ENOENT
	case n.Mount == root.Mount || o.Mount == root.Mount && n.Mount == root.Mount:
		return linux.EBUSY
	case root.Dentry != root.Mount.root, n.Dentry != n.Mount.root, n.Mount.parent == nil:
		return linux.EINVAL
	case o.Mount.group != nil || n.Mount.parent.group != nil || root.Mount.parent != nil && root.Mount.parent.group != nil:
		return linux.EINVAL
	case !o.underLocked(n) || !n.underLocked(root):
		return linux.EINVAL
	}
	oldParent, oldPoint := root.Mount.parent, root.Mount.point
	n.Mount.unhookLocked()
	root.Mount.unhookLocked()
	if oldParent != nil {
		n.Mount.attachLocked(Path{oldParent, oldPoint})
	} else {
		ns.root = n.Mount
		for range n.Mount.treeLocked() {
			ns.count++
		}
	}
	if o == n {
		o = Path{n.Mount, n.Mount.root} // "." on "."
	}
	root.Mount.attachLocked(o)
	ns.changed()
	return nil
}

// underLocked reports whether p is root or below it.
func (p Path) underLocked(root Path) bool {
	for p.Mount != root.Mount {
		if p.Mount.parent == nil {
			return false
		}
		p = Path{p.Mount.parent, p.Mount.point}
	}
	return root.Dentry.isAncestorOf(p.Dentry)
}

// splitOptions is for file systems: it cuts mount data into key and value.
func splitOptions(data string, each func(key, value string) error) error {
	for opt := range strings.SplitSeq(data, ",") {
		if opt == "" {
			continue
		}
		k, v, _ := strings.Cut(opt, "=")
		if err := each(k, v); err != nil {
			return err
		}
	}
	return nil
}

// ParseOptions calls each for every option of mount(2)'s data.
func ParseOptions(data string, each func(key, value string) error) error {
	return splitOptions(data, each)
}
