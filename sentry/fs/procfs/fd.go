package procfs

import (
	"fmt"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// fdNames is /proc/pid/fd or /proc/pid/fdinfo.
type fdNames struct {
	p    *proc
	ino  uint64
	make func(p *proc, ino uint64, fd linux.FD) vfs.Inode
	kind linux.DirentType
}

func newFDNames(_ *FileSystem, p *proc, ino uint64) names {
	return &fdNames{p, ino, newFDLink, linux.DT_LNK}
}

func newFDInfoNames(_ *FileSystem, p *proc, ino uint64) names {
	return &fdNames{p, ino, newFDInfo, linux.DT_REG}
}

// mayFD lets a process look at its own descriptors whatever the mode says.
func mayFD(p *proc, d *dirInode, c *cred.Credentials, want vfs.Access) error {
	return byMode(d, c, want)
}

// mayFDInfo asks for the right to look into the process (Linux:
// proc_fdinfo_permission).
func mayFDInfo(p *proc, d *dirInode, c *cred.Credentials, want vfs.Access) error {
	t := p.task()
	if t == nil {
		return linux.ESRCH
	}
	if !mayAccess(nil, c, t) {
		return linux.EACCES
	}
	return byMode(d, c, want)
}

// table returns the descriptors, nil when the task has closed them.
func (p *proc) table() *vfs.FDTable {
	t := p.task()
	if t == nil {
		return nil
	}
	if s := t.State(); s == 'Z' || s == 'X' {
		return nil
	}
	return t.FDs()
}

// file returns fd's description with a reference, nil if there is none.
func (p *proc) file(fd linux.FD) *vfs.Description {
	if t := p.table(); t != nil {
		return t.Get(fd)
	}
	return nil
}

func (n *fdNames) find(name string) (vfs.Inode, error) {
	fd, ok := parseID(name)
	if !ok {
		return nil, linux.ENOENT
	}
	d := n.p.file(linux.FD(fd))
	if d == nil {
		return nil, linux.ENOENT
	}
	d.DecRef()
	return n.make(n.p, inoOf(n.ino, name), linux.FD(fd)), nil
}

func (n *fdNames) each(from int64, emit func(int64, vfs.Dirent) bool) {
	t := n.p.table()
	if t == nil {
		return
	}
	for fd := t.Next(linux.FD(from - 2)); fd >= 0; fd = t.Next(fd + 1) {
		name := strconv.Itoa(int(fd))
		if !emit(int64(fd)+2, vfs.Dirent{Name: name, Ino: inoOf(n.ino, name), Type: uint8(n.kind)}) {
			return
		}
	}
}

func (n *fdNames) valid(name string, child vfs.Inode) bool {
	fd, ok := parseID(name)
	if !ok {
		return child == nil
	}
	d := n.p.file(linux.FD(fd))
	if d == nil {
		return child == nil
	}
	d.DecRef()
	return child != nil
}

func (n *fdNames) size() uint64 {
	if t := n.p.table(); t != nil && n.kind == linux.DT_LNK {
		return uint64(t.Count())
	}
	return 0
}

// An fdLink is /proc/pid/fd/N.
type fdLink struct {
	inode
	fd linux.FD
}

func newFDLink(p *proc, ino uint64, fd linux.FD) vfs.Inode {
	return &fdLink{inode{fs: p.fs, ino: ino, mode: linux.S_IFLNK, p: p}, fd}
}

// Attr implements vfs.Inode: the mode says what the file was opened for.
func (l *fdLink) Attr() (vfs.Attr, error) {
	a, err := l.inode.Attr()
	a.Size = 64
	if d := l.p.file(l.fd); d != nil {
		if d.Readable() {
			a.Mode |= 0o500
		}
		if d.Writable() {
			a.Mode |= 0o300
		}
		d.DecRef()
	}
	return a, err
}

// Follow implements vfs.MagicLink.
func (l *fdLink) Follow(c *vfs.Caller) (vfs.Path, bool, error) {
	if _, err := l.p.access(c); err != nil {
		return vfs.Path{}, false, err
	}
	d := l.p.file(l.fd)
	if d == nil {
		return vfs.Path{}, false, linux.ENOENT
	}
	defer d.DecRef()
	return d.Path(), true, nil
}

// Readlink implements vfs.Symlink.
func (l *fdLink) Readlink(c *vfs.Caller) (string, error) {
	at, _, err := l.Follow(c)
	if err != nil {
		return "", err
	}
	return at.Name(c.Root), nil
}

// newFDInfo returns the inode of fdinfo/fd. Its text is made at opening, without
// the lock of any description's offset: it shows the offset of one, which may
// be that of the reader.
func newFDInfo(p *proc, ino uint64, fd linux.FD) vfs.Inode {
	e := &entry{mode: regular | 0o444, open: mayLook}
	e.file = func(o *opening) (vfs.File, error) {
		b, err := fdInfo(o, fd)
		if err != nil {
			return nil, err
		}
		return &textFile{o: o, e: &entry{text: func(*opening) ([]byte, error) { return b, nil }}}, nil
	}
	return &fileInode{inode{fs: p.fs, ino: ino, mode: e.mode, p: p}, e}
}

// fdInfo is /proc/pid/fdinfo/fd (Linux: fs/proc/fd.c seq_show).
func fdInfo(o *opening, fd linux.FD) ([]byte, error) {
	t := o.p.table()
	if t == nil {
		return nil, linux.ENOENT
	}
	d := t.Get(fd)
	if d == nil {
		return nil, linux.ENOENT
	}
	defer d.DecRef()
	flags := d.Flags() &^ linux.O_CLOEXEC
	if f, err := t.Flags(fd); err == nil && f&linux.FD_CLOEXEC != 0 {
		flags |= linux.O_CLOEXEC
	}
	x, err := vfs.Statx(&vfs.Caller{Cred: o.cred}, d.Path(), linux.STATX_MNT_ID)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "pos:\t%d\nflags:\t0%o\nmnt_id:\t%d\nino:\t%d\n", d.Offset(), uint32(flags), x.MntID, x.Ino)
	own := o.p.group.ID()
	for i, l := range d.Locks() {
		if l.PID == own || l.PID < 0 {
			b = append(b, "lock:\t"...)
			b = appendLock(b, i+1, o.fs.shown(l.PID), &l, d)
		}
	}
	return o.fs.appendKind(b, d.File()), nil
}

// heldFile is an open description, by whom.
type heldFile struct {
	d  *vfs.Description
	by *task.ThreadGroup
}

// openFiles returns every description that a descriptor refers to, once, with
// references.
func (f *FileSystem) openFiles() []heldFile {
	var out []heldFile
	seen := map[*vfs.Description]bool{}
	for _, t := range f.sys.Tasks() {
		table := (&proc{fs: f, group: t.Group(), id: t.TID()}).table()
		if table == nil {
			continue
		}
		table.Each(func(_ linux.FD, d *vfs.Description, _ linux.FDFlags) bool {
			if !seen[d] {
				seen[d] = true
				d.IncRef()
				out = append(out, heldFile{d, t.Group()})
			}
			return true
		})
	}
	return out
}
