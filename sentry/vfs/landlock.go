package vfs

import (
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
)

// Limits of landlock(7).
const (
	// maxLandlockLayers is how often a task can restrict itself (Linux:
	// LANDLOCK_MAX_NUM_LAYERS).
	maxLandlockLayers = 16
	// maxLandlockRules bounds the places of a ruleset, each of which keeps a name in
	// the cache. Linux charges them to the memory of who adds them.
	maxLandlockRules = 4096
)

// A Ruleset is the File of landlock_create_ruleset(2): what is to be forbidden but
// below some places.
type Ruleset struct {
	// immutable
	handled linux.LandlockAccessFS

	mu lock.Mutex[lock.Landlock]
	// guarded by mu
	rules landlockRules
}

// Landlock's rules say what is allowed at a place and below it. The name stands for what
// it names: unlike Linux, a rule for a file is not one for its other hard links.
type landlockRules struct {
	places []*Dentry // of access, in the order in which they came
	access map[*Dentry]linux.LandlockAccessFS
}

func (r *landlockRules) add(at *Dentry, access linux.LandlockAccessFS) {
	if r.access == nil {
		r.access = make(map[*Dentry]linux.LandlockAccessFS)
	}
	before, known := r.access[at]
	if !known {
		r.places = append(r.places, at)
	}
	r.access[at] = before | access
}

func (r landlockRules) clone() landlockRules {
	return landlockRules{slices.Clone(r.places), maps.Clone(r.access)}
}

// A Domain is what landlock_restrict_self(2) has made of a task's rulesets: a list of
// layers, each of which has to allow an access that it handles.
type Domain struct {
	// immutable
	parent  *Domain
	layers  int
	handled linux.LandlockAccessFS
	rules   landlockRules
}

// Restricts implements cred.Domain.
func (*Domain) Restricts() {}

// NewRuleset is landlock_create_ruleset(2).
func (v *VFS) NewRuleset(c *Caller, handled linux.LandlockAccessFS) (*Description, error) {
	if handled&^linux.LANDLOCK_ACCESS_FS != 0 {
		return nil, linux.EINVAL
	}
	if handled == 0 {
		return nil, linux.ENOMSG
	}
	return v.NewAnonFile(c, &Ruleset{handled: handled}, "[landlock-ruleset]", linux.O_RDWR), nil
}

// Release implements File.
func (*Ruleset) Release() {}

// fileAccess are the rights that are good for something besides directories.
const fileAccess = linux.LANDLOCK_ACCESS_FS_EXECUTE | linux.LANDLOCK_ACCESS_FS_WRITE_FILE | linux.LANDLOCK_ACCESS_FS_READ_FILE

// Handles checks that a rule for access can be added.
func (r *Ruleset) Handles(access linux.LandlockAccessFS) error {
	if access == 0 {
		return linux.ENOMSG
	}
	if access&^r.handled != 0 {
		return linux.EINVAL
	}
	return nil
}

// Add allows access at p and below it.
func (r *Ruleset) Add(p Path, access linux.LandlockAccessFS) error {
	if p.nameless() {
		return linux.EBADFD
	}
	if !p.Dentry.IsDir() && access&^fileAccess != 0 {
		return linux.EINVAL
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.rules.access[p.Dentry]; !known && len(r.rules.places) == maxLandlockRules {
		return linux.E2BIG
	}
	r.rules.add(p.Dentry, access)
	return nil
}

// nameless reports whether p is a pipe, a socket, a memfd or another file without a
// place, which no domain restricts.
func (p Path) nameless() bool { return p.Dentry == nil || p.Dentry.anon != "" || p.Mount.root == nil }

// Restrict returns c's domain with r as one more layer: the Domain for new credentials.
func (r *Ruleset) Restrict(c *Caller) (*Domain, error) {
	d := &Domain{parent: c.domain(), layers: 1, handled: r.handled}
	if d.parent != nil {
		d.layers += d.parent.layers
	}
	if d.layers > maxLandlockLayers {
		return nil, linux.E2BIG
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d.rules = r.rules.clone()
	return d, nil
}

// domain is what restricts c, or nil.
func (c *Caller) domain() *Domain { return domainOf(c.Cred) }

func domainOf(c *cred.Credentials) *Domain {
	if c == nil || c.Domain == nil {
		return nil
	}
	d, _ := c.Domain.(*Domain)
	return d
}

// covers reports whether o restricts as much as d.
func (d *Domain) covers(o *Domain) bool {
	for ; o != nil && o != d; o = o.parent {
	}
	return d == o
}

// MayTrace reports whether landlock lets c look into or change a process of o: what is
// restricted less cannot be reached through it.
func MayTrace(c, o *cred.Credentials) bool { return domainOf(c).covers(domainOf(o)) }

// unrestricted is c without its domain, for places that no path leads to.
func (c *Caller) unrestricted() *Caller {
	if c.domain() == nil {
		return c
	}
	k, own := *c, c.Cred.Clone()
	own.Domain = nil
	k.Cred = own
	return &k
}

// landlocked is EACCES where c's domain does not allow access to p.
func (c *Caller) landlocked(p Path, access linux.LandlockAccessFS) error {
	d := c.domain()
	if d == nil || access == 0 || p.nameless() {
		return nil
	}
	mu := &p.Mount.vfs.mountMu
	mu.RLock()
	defer mu.RUnlock()
	for ; d != nil; d = d.parent {
		if !d.layerAllowsLocked(p, access) {
			return linux.EACCES
		}
	}
	return nil
}

// layerAllowsLocked looks at p and all that is above it, through mounts, up to the root
// of their namespace.
func (d *Domain) layerAllowsLocked(p Path, access linux.LandlockAccessFS) bool {
	for access &= d.handled; access != 0; {
		access &^= d.rules.access[p.Dentry]
		for p.Dentry == p.Mount.root {
			if p.Mount.parent == nil {
				return access == 0
			}
			p = Path{p.Mount.parent, p.Mount.point} // which is hidden, and not asked
		}
		up := p.Dentry.Parent()
		if up == p.Dentry {
			break // out of what the mount shows
		}
		p.Dentry = up
	}
	return access == 0
}

// landlockOpen checks that c may open p.
func (c *Caller) landlockOpen(p Path, f linux.OpenFlags) error {
	if c.domain() == nil {
		return nil
	}
	var a linux.LandlockAccessFS
	if f.Readable() {
		a = linux.LANDLOCK_ACCESS_FS_READ_FILE
		if p.Dentry.IsDir() {
			a = linux.LANDLOCK_ACCESS_FS_READ_DIR
		}
	}
	if f.Writable() {
		a |= linux.LANDLOCK_ACCESS_FS_WRITE_FILE
	}
	return c.landlocked(p, a)
}

// makeAccess is the right to make an object of a type.
func makeAccess(mode linux.FileMode) linux.LandlockAccessFS {
	switch mode.Type() {
	case linux.S_IFLNK:
		return linux.LANDLOCK_ACCESS_FS_MAKE_SYM
	case linux.S_IFDIR:
		return linux.LANDLOCK_ACCESS_FS_MAKE_DIR
	case linux.S_IFCHR:
		return linux.LANDLOCK_ACCESS_FS_MAKE_CHAR
	case linux.S_IFBLK:
		return linux.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	case linux.S_IFIFO:
		return linux.LANDLOCK_ACCESS_FS_MAKE_FIFO
	case linux.S_IFSOCK:
		return linux.LANDLOCK_ACCESS_FS_MAKE_SOCK
	}
	return linux.LANDLOCK_ACCESS_FS_MAKE_REG
}

// removeAccess is the right to remove what d names.
func removeAccess(d *Dentry) linux.LandlockAccessFS {
	switch {
	case d.inode == nil:
		return 0
	case d.IsDir():
		return linux.LANDLOCK_ACCESS_FS_REMOVE_DIR
	}
	return linux.LANDLOCK_ACCESS_FS_REMOVE_FILE
}

// landlockLink checks that c may link old in dir. What gets another parent could get
// more rights there: as in version 1 of Linux's ABI that is EXDEV, whatever the rules.
func (c *Caller) landlockLink(old, dir Path) error {
	if c.domain() == nil {
		return nil
	}
	if err := c.landlocked(dir, makeAccess(old.Dentry.kind)); err != nil {
		return err
	}
	if old.Dentry.Parent() != dir.Dentry {
		return linux.EXDEV
	}
	return nil
}

// landlocked checks that the renaming is allowed; see landlockLink.
func (r *renaming) landlocked() error {
	if r.c.domain() == nil {
		return nil
	}
	from, to := removeAccess(r.moved), makeAccess(r.moved.kind)|removeAccess(r.there)
	if r.flags&linux.RENAME_EXCHANGE != 0 {
		from |= makeAccess(r.there.kind)
	}
	if err := r.c.landlocked(r.from, from); err != nil {
		return err
	}
	if err := r.c.landlocked(r.to, to); err != nil {
		return err
	}
	if r.from.Dentry != r.to.Dentry {
		return linux.EXDEV
	}
	return nil
}
