package vfs

import (
	"slices"
	"strings"

	"cordon/internal/linux"
)

// IncRef counts a lasting holder of the place (a root, a working directory, a
// mapping): its mount is busy. The zero Path may be counted too.
func (p Path) IncRef() {
	if p.Mount != nil {
		p.Mount.incRef()
	}
}

// DecRef undoes an IncRef.
func (p Path) DecRef() {
	if p.Mount != nil {
		p.Mount.decRef()
	}
}

// Valid reports whether p is a place.
func (p Path) Valid() bool { return p.Dentry != nil }

// Inode returns what is at p.
func (p Path) Inode() Inode { return p.Dentry.inode }

// VFS returns the VFS that p is in.
func (p Path) VFS() *VFS { return p.Mount.vfs }

// A crossing remembers where through led from a directory, which holds as long as
// the mount tree does not change. It is replaced, never changed.
type crossing struct {
	tree uint64 // VFS.treeGen
	from *Mount
	to   Path
}

// through returns the topmost place that is mounted on p.
func (p Path) through() Path {
	v, k := p.Mount.vfs, p.Dentry.kids
	if k == nil {
		v.mountMu.RLock()
		defer v.mountMu.RUnlock()
		return p.throughLocked()
	}
	c := k.crossed.Load()
	if c != nil && c.from == p.Mount && c.tree == v.treeGen.Load() {
		return c.to
	}
	v.mountMu.RLock()
	defer v.mountMu.RUnlock()
	tree, q := v.treeGen.Load(), p.throughLocked()
	// Of two namespaces that go through one directory the first is remembered.
	if c == nil || c.tree != tree {
		k.crossed.Store(&crossing{tree, p.Mount, q})
	}
	return q
}

func (p Path) throughLocked() Path {
	for p.Dentry.mounted.Load() > 0 {
		m := p.Mount.vfs.mounts[mountKey{p.Mount, p.Dentry}]
		if m == nil {
			return p
		}
		p = Path{m, m.root}
	}
	return p
}

// above returns the place that ".." means at p, where root is the caller's.
func (p Path) above(root Path) Path {
	if p.Dentry == p.Mount.root {
		v := p.Mount.vfs
		v.mountMu.RLock()
		defer v.mountMu.RUnlock()
		for p != root && p.Dentry == p.Mount.root && p.Mount.parent != nil {
			p = Path{p.Mount.parent, p.Mount.point}
		}
		if p == root || p.Dentry == p.Mount.root {
			return p
		}
		return Path{p.Mount, p.Dentry.Parent()}.throughLocked()
	}
	q := Path{p.Mount, p.Dentry.Parent()}
	if q.Dentry.mounted.Load() > 0 {
		return q.through()
	}
	return q
}

// text builds p's path as seen from root. ok is false where root is not above
// p; the text is then the path from wherever the walk up ended.
func (p Path) text(root Path) (s string, ok bool) {
	if p.Dentry.anon != "" {
		return p.Dentry.anon, true
	}
	v := p.Mount.vfs
	for {
		before := v.renames.Load()
		s, ok = p.textOnce(root)
		if v.renames.Load() == before {
			return s, ok
		}
	}
}

func (p Path) textOnce(root Path) (string, bool) {
	v := p.Mount.vfs
	var names []string
	ok := true
	v.mountMu.RLock()
	for p != root {
		if p.Dentry == p.Mount.root {
			if p.Mount.parent == nil {
				ok = false
				break
			}
			p = Path{p.Mount.parent, p.Mount.point}
			continue
		}
		pl := p.Dentry.place.Load()
		if pl.parent == p.Dentry {
			ok = false // a root that is mounted nowhere, or not as a whole
			break
		}
		names = append(names, pl.name)
		p.Dentry = pl.parent
	}
	v.mountMu.RUnlock()
	if len(names) == 0 {
		return "/", ok
	}
	var b strings.Builder
	for _, n := range slices.Backward(names) {
		b.WriteByte('/')
		b.WriteString(n)
	}
	return b.String(), ok
}

// Name returns p as /proc/self/fd and /proc/self/maps show it to somebody with
// this root: from the root if it is above p, else from the top of what p is
// mounted in, with " (deleted)" if the name is gone.
func (p Path) Name(root Path) string {
	s, _ := p.text(root)
	if p.Dentry.Deleted() {
		s += " (deleted)"
	}
	return s
}

// Text returns p's path from root without marks; ok is false if root is not
// above it.
func (p Path) Text(root Path) (s string, ok bool) { return p.text(root) }

// Getcwd returns what getcwd(2) does: "(unreachable)" before a place that the
// root is not above, ENOENT for one that has been deleted.
func Getcwd(c *Caller) (string, error) {
	if c.Cwd.Dentry.Deleted() {
		return "", linux.ENOENT
	}
	s, ok := c.Cwd.text(c.Root)
	if !ok {
		s = "(unreachable)" + s
	}
	return s, nil
}
