package vfs

import (
	"strings"

	"cordon/internal/linux"
)

// WalkFlags say how a path is walked.
type WalkFlags uint32

const (
	// NoFollow returns a symbolic link at the end itself.
	NoFollow WalkFlags = 1 << iota
	// EmptyPath makes "" mean the starting place (AT_EMPTY_PATH).
	EmptyPath
	// WantDir refuses an end that is no directory.
	WantDir
	// mountPoint stops at the lowest place of the end, under its mounts.
	// (umount and ".." do not need it; nothing outside this package does.)
	noMounts
)

// Resolve returns the place that path names, starting at at unless path is
// absolute.
func Resolve(c *Caller, at Path, path string, flags WalkFlags) (Path, error) {
	return ResolveHow(c, at, path, flags, 0)
}

// ResolveHow is Resolve with openat2(2)'s restrictions.
func ResolveHow(c *Caller, at Path, path string, flags WalkFlags, resolve linux.ResolveFlags) (Path, error) {
	if path == "" && flags&EmptyPath != 0 {
		return emptyPath(at, flags)
	}
	var w walker
	if err := w.start(c, at, path, resolve); err != nil {
		return Path{}, err
	}
	p, err := w.end(flags)
	if err == nil && flags&WantDir != 0 && !p.Dentry.IsDir() {
		err = linux.ENOTDIR
	}
	return p, err
}

func emptyPath(at Path, flags WalkFlags) (Path, error) {
	if at.Dentry == nil {
		return Path{}, linux.ENOENT
	}
	if flags&WantDir != 0 && !at.Dentry.IsDir() {
		return Path{}, linux.ENOTDIR
	}
	return at, nil
}

// LastKind says what the last component of a path is.
type LastKind uint8

const (
	// LastName is an ordinary name.
	LastName LastKind = iota
	// LastDot and LastDotDot are "." and "..".
	LastDot
	LastDotDot
	// LastRoot means that the path had no components ("/").
	LastRoot
)

// A Last is the last component of a path whose parent has been walked to.
type Last struct {
	Name  string
	Kind  LastKind
	Slash bool // slashes follow it
}

// ResolveParent walks to the directory that holds path's last component.
func ResolveParent(c *Caller, at Path, path string) (Path, Last, error) {
	var w walker
	if err := w.start(c, at, path, 0); err != nil {
		return Path{}, Last{}, err
	}
	if err := w.parent(); err != nil {
		return Path{}, Last{}, err
	}
	return w.cur, w.last, nil
}

// A walker is one walk. parent moves cur to the directory that holds the last
// component; end and follow go on from there. A symbolic link pushes what is
// left of the text that named it and goes on with its target.
type walker struct {
	c       *Caller
	root    Path // ".." stops here; absolute links start here
	cur     Path
	rest    string // what is left of the current text
	stack   [linux.SYMLINKS_MAX]string
	depth   int
	links   int
	resolve linux.ResolveFlags
	last    Last
	reads   bool // the end is going to be opened for reading
	checked int  // how many of the next names are known to mean what is cached
}

const scoped = linux.RESOLVE_BENEATH | linux.RESOLVE_IN_ROOT

// start begins a walk. The path's length has to be below PATH_MAX.
func (w *walker) start(c *Caller, at Path, path string, resolve linux.ResolveFlags) error {
	if len(path) >= linux.PATH_MAX {
		return linux.ENAMETOOLONG
	}
	if path == "" {
		return linux.ENOENT
	}
	w.c, w.resolve, w.rest = c, resolve, path
	w.root = c.Root
	if resolve&scoped != 0 {
		w.root = at
		if at.Dentry != nil && !at.Dentry.IsDir() {
			return linux.ENOTDIR
		}
	}
	if path[0] == '/' {
		return w.toRoot()
	}
	if at.Dentry == nil {
		return linux.ENOENT
	}
	w.cur = at
	return nil
}

// toRoot goes to where absolute paths start.
func (w *walker) toRoot() error {
	if w.resolve&linux.RESOLVE_BENEATH != 0 {
		return linux.EXDEV
	}
	if w.resolve&linux.RESOLVE_NO_XDEV != 0 && w.cur.Mount != nil && w.cur.Mount != w.root.Mount {
		return linux.EXDEV
	}
	w.cur = w.root
	return nil
}

// parent walks until only the last component is left, in w.last.
func (w *walker) parent() error {
	for {
		w.rest = strings.TrimLeft(w.rest, "/")
		if w.rest == "" {
			if w.depth == 0 {
				w.last = Last{Kind: LastRoot}
				return nil
			}
			w.depth--
			w.rest = w.stack[w.depth]
			continue
		}
		if err := w.maySearch(); err != nil {
			return err
		}
		name, tail, slash := w.rest, "", false
		if i := strings.IndexByte(w.rest, '/'); i >= 0 {
			name, tail, slash = w.rest[:i], strings.TrimLeft(w.rest[i:], "/"), true
		}
		// A finished link text goes on with what named the link.
		for tail == "" && w.depth > 0 {
			w.depth--
			tail = w.stack[w.depth]
			if tail != "" {
				slash = true
				tail = strings.TrimLeft(tail, "/")
			}
		}
		w.last = Last{Name: name, Kind: kindOf(name), Slash: slash}
		w.rest = tail
		if tail == "" {
			return nil
		}
		if err := w.step(); err != nil {
			return err
		}
	}
}

func kindOf(name string) LastKind {
	switch name {
	case ".":
		return LastDot
	case "..":
		return LastDotDot
	}
	return LastName
}

// step goes into w.last, which is not the end of the path.
func (w *walker) step() error {
	switch w.last.Kind {
	case LastDot:
		return nil
	case LastDotDot:
		return w.up()
	}
	d, err := w.child(w.last.Name)
	if err != nil {
		return err
	}
	if d.inode == nil {
		return linux.ENOENT
	}
	p, err := w.enter(d)
	if err != nil {
		return err
	}
	if p.Dentry.kind == linux.S_IFLNK {
		return w.follow(p)
	}
	if !p.Dentry.IsDir() {
		return linux.ENOTDIR
	}
	w.cur = p
	return nil
}

// child looks name up in w.cur.
func (w *walker) child(name string) (*Dentry, error) {
	d := w.cur.Dentry
	if d.kids == nil {
		return nil, linux.ENOTDIR
	}
	if d.sb.paths != nil && w.checked == 0 {
		w.revalidateAhead(name)
	}
	if w.checked > 0 {
		w.checked--
		if c := d.peek(name); c != nil {
			c.used.Store(true)
			return c, nil
		}
	}
	if w.resolve&linux.RESOLVE_CACHED != 0 {
		if c := d.cachedChild(name); c != nil {
			return c, nil
		}
		return nil, linux.EAGAIN
	}
	return d.lookupAhead(name, w)
}

// maxPrefetch is how many names are looked up at a time.
const maxPrefetch = 16

// revalidateAhead asks for what is cached of the path from name on at once.
func (w *walker) revalidateAhead(name string) {
	d := w.cur.Dentry
	sb, parent := d.sb, d.inode
	var names []string
	var children []Inode
	for _, n := range w.ahead(name) {
		c := d.peek(n)
		if c == nil || c.inode == nil || c.mounted.Load() > 0 {
			break
		}
		names, children = append(names, n), append(children, c.inode)
		if !c.IsDir() {
			break
		}
		d = c
	}
	if len(names) > 0 {
		w.checked = sb.paths.RevalidatePath(parent, names, children)
	}
}

// ahead returns the names from name on.
func (w *walker) ahead(name string) []string {
	names, _ := w.names(name)
	return names
}

// goesOn reports whether anything is known of what comes after the name that is looked up.
func (w *walker) goesOn() bool { return w != nil && (w.rest != "" || w.reads) }

// names returns the names from name, the one that is looked up now, on, as far
// as no link or ".." can change their meaning before they are reached, and
// whether the last of them is to be opened.
func (w *walker) names(name string) (names []string, open bool) {
	names = append(names, name)
	rest := w.rest
	for rest != "" && len(names) < maxPrefetch {
		next := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			next, rest = rest[:i], strings.TrimLeft(rest[i:], "/")
		} else {
			rest = ""
		}
		if next == "" || len(next) > linux.NAME_MAX || kindOf(next) != LastName {
			return names, false
		}
		names = append(names, strings.Clone(next))
	}
	return names, w.reads && rest == "" && w.depth == 0 && !w.last.Slash
}

// enter returns the place of w.cur's child d, through what is mounted there.
func (w *walker) enter(d *Dentry) (Path, error) {
	p := Path{w.cur.Mount, d}
	if d.mounted.Load() == 0 {
		return p, nil
	}
	w.checked = 0
	if p.Mount.vfs.hosting.Load() && w.resolve&linux.RESOLVE_CACHED == 0 {
		p.checkHost()
	}
	q := p.through()
	if q.Mount != p.Mount && w.resolve&linux.RESOLVE_NO_XDEV != 0 {
		return Path{}, linux.EXDEV
	}
	return q, nil
}

// up goes to the parent of w.cur.
func (w *walker) up() error {
	if w.cur == w.root {
		if w.resolve&linux.RESOLVE_BENEATH != 0 {
			return linux.EXDEV
		}
		return nil
	}
	p := w.cur.above(w.root)
	if p.Mount != w.cur.Mount && w.resolve&linux.RESOLVE_NO_XDEV != 0 {
		return linux.EXDEV
	}
	w.cur = p
	return nil
}

// follow goes on with the target of the symbolic link at p, a child of w.cur.
// What is left of the path is walked after it.
func (w *walker) follow(p Path) error {
	if w.links++; w.links > linux.SYMLINKS_MAX {
		return linux.ELOOP
	}
	if w.resolve&linux.RESOLVE_NO_SYMLINKS != 0 || p.Mount.noSymFollow() {
		return linux.ELOOP
	}
	if m, ok := p.Dentry.inode.(MagicLink); ok {
		q, ok, err := m.Follow(w.c)
		if err != nil {
			return err
		}
		if ok {
			return w.jump(q)
		}
	}
	l, ok := p.Dentry.inode.(Symlink)
	if !ok {
		return linux.EINVAL
	}
	p.accessed(0)
	target, err := l.Readlink(w.c)
	if err != nil {
		return err
	}
	if target == "" {
		return linux.ENOENT
	}
	if len(target) >= linux.PATH_MAX {
		return linux.ENAMETOOLONG
	}
	if w.rest != "" || w.last.Slash {
		if w.rest == "" {
			w.rest = "/" // remember that slashes followed
		}
		w.stack[w.depth] = w.rest
		w.depth++
	}
	w.rest = target
	if target[0] == '/' {
		return w.toRoot()
	}
	return nil
}

// jump goes straight to where a magic link leads.
func (w *walker) jump(q Path) error {
	if w.resolve&linux.RESOLVE_NO_MAGICLINKS != 0 {
		return linux.ELOOP
	}
	if w.resolve&scoped != 0 {
		return linux.EXDEV
	}
	if w.resolve&linux.RESOLVE_NO_XDEV != 0 && q.Mount != w.cur.Mount {
		return linux.EXDEV
	}
	w.cur = q
	if w.rest != "" && !q.Dentry.IsDir() {
		return linux.ENOTDIR
	}
	return nil
}

// end walks to the end of the path.
func (w *walker) end(flags WalkFlags) (Path, error) {
	for {
		if err := w.parent(); err != nil {
			return Path{}, err
		}
		p, link, err := w.final(flags)
		if err != nil || !link {
			return p, err
		}
		if err := w.followFinal(p); err != nil {
			return Path{}, err
		}
		if w.rest == "" && w.depth == 0 {
			// A magic link: w.cur is the end.
			if w.last.Slash && !w.cur.Dentry.IsDir() {
				return Path{}, linux.ENOTDIR
			}
			return w.cur, nil
		}
	}
}

// final looks at the last component. link says that it is a symbolic link
// which has to be followed.
func (w *walker) final(flags WalkFlags) (p Path, link bool, err error) {
	switch w.last.Kind {
	case LastRoot, LastDot:
		return w.cur, false, nil
	case LastDotDot:
		err := w.up()
		return w.cur, false, err
	}
	d, err := w.child(w.last.Name)
	if err != nil {
		return Path{}, false, err
	}
	if d.inode == nil {
		return Path{}, false, linux.ENOENT
	}
	if flags&noMounts != 0 {
		p = Path{w.cur.Mount, d}
	} else if p, err = w.enter(d); err != nil {
		return Path{}, false, err
	}
	if p.Dentry.kind == linux.S_IFLNK && (flags&NoFollow == 0 || w.last.Slash) {
		return p, true, nil
	}
	if w.last.Slash && !p.Dentry.IsDir() {
		return Path{}, false, linux.ENOTDIR
	}
	return p, false, nil
}

// followFinal follows a link at the end of the path, which
// fs.protected_symlinks may forbid.
func (w *walker) followFinal(p Path) error {
	if w.links < linux.SYMLINKS_MAX && p.Mount.vfs.sysctl.ProtectedSymlinks.Load() != 0 {
		if err := w.mayFollow(p); err != nil {
			return err
		}
	}
	return w.follow(p)
}

func (w *walker) mayFollow(p Path) error {
	da, err := w.cur.attr()
	if err != nil {
		return err
	}
	const open = linux.S_ISVTX | linux.S_IWOTH
	if da.Mode&open != open {
		return nil
	}
	la, err := p.attr()
	if err != nil {
		return err
	}
	if la.UID == w.c.Cred.FSUID || la.UID == da.UID {
		return nil
	}
	return linux.EACCES
}
