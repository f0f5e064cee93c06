package hostfs

import (
	"bytes"
	"io"

	"cordon/gofer/donate"
	"cordon/gofer/p9"
	"cordon/internal/linux"

	"github.com/hugelgupf/p9/fsimpl/templatefs"
	"golang.org/x/sys/unix"
)

// NineP is the tree that 9P serves: a directory of the mounts. Below it the
// names are the host's, and every directory also shows handles (p9.HandleName).
func (f *fsys) NineP(d *p9.Donor) p9.Attacher { return attacher{f, d} }

type attacher struct {
	f *fsys
	d *p9.Donor
}

// Attach returns the directory of mounts; the library walks on from there.
func (a attacher) Attach() (p9.File, error) { return &file{f: a.f, d: a.d, data: -1}, nil }

// file is a 9P fid. The directory of mounts has no node.
type file struct {
	templatefs.NoopFile

	f *fsys
	d *p9.Donor
	n *node

	// The library calls Open once, and no operation that needs data before.
	data int
}

func (x *file) Close() error {
	if x.data >= 0 {
		unix.Close(x.data)
	}
	if x.n != nil {
		x.n.release()
	}
	return nil
}

// do performs an operation of the side channel on x's node.
func (x *file) do(q *donate.Request) (donate.Reply, error) {
	r := donate.Reply{FD: -1}
	h, changes := handlerOf(q.Op)
	switch {
	case x.n == nil:
		return r, p9.Errno(linux.EPERM)
	case changes && x.n.m.readOnly:
		return r, p9.Errno(linux.EROFS)
	}
	e := h(x.f, x.n, q, &r)
	if e != 0 && r.FD >= 0 {
		unix.Close(r.FD)
		r.FD = -1
	}
	// 9P knows the inode by its fid.
	for _, ent := range r.Entries {
		if ent.Handle != donate.NoHandle {
			x.f.Clunk([]uint64{ent.Handle})
		}
	}
	return r, p9.Errno(e)
}

func (x *file) attr() (donate.Attr, error) {
	if x.n == nil {
		return donate.Attr{Mode: linux.S_IFDIR | 0o555, Nlink: 2}, nil
	}
	a, e := statNode(x.n.fd)
	return a, p9.Errno(e)
}

func (x *file) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	a, err := x.attr()
	return p9.ToQID(&a), p9.AllAttrs(), p9.ToAttr(&a), err
}

// step returns the node of name below x with a reference.
func (x *file) step(name string) (*node, linux.Errno) {
	if h, ok := p9.ParseHandleName(name); ok && x.n != nil {
		return x.f.table.get(h)
	}
	if x.n != nil {
		n, _, e := x.f.lookup(x.n, name)
		return n, e
	}
	m := x.f.mountOf(name)
	if m == nil {
		return nil, linux.ENOENT
	}
	m.root.refs.Add(1)
	return m.root, 0
}

// WalkGetAttr takes the one component that the library asks for at a time.
func (x *file) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	c := &file{f: x.f, d: x.d, n: x.n, data: -1}
	switch {
	case len(names) > 1:
		return nil, nil, p9.AttrMask{}, p9.Attr{}, p9.Errno(linux.EINVAL)
	case len(names) == 1:
		n, e := x.step(names[0])
		if e != 0 {
			return nil, nil, p9.AttrMask{}, p9.Attr{}, p9.Errno(e)
		}
		c.n = n
	case x.n != nil:
		x.n.refs.Add(1)
	}
	q, mask, a, err := c.GetAttr(p9.AllAttrs())
	if err != nil {
		c.Close()
		return nil, nil, mask, a, err
	}
	if len(names) == 0 {
		return nil, c, mask, a, nil
	}
	return []p9.QID{q}, c, mask, a, nil
}

func (x *file) Walk(names []string) ([]p9.QID, p9.File, error) {
	q, c, _, _, err := x.WalkGetAttr(names)
	return q, c, err
}

func (x *file) SetAttr(m p9.SetAttrMask, a p9.SetAttr) error {
	_, err := x.do(&donate.Request{Op: donate.OpSetAttr, SetAttr: p9.FromSetAttr(m, a)})
	return err
}

func (x *file) StatFS() (p9.FSStat, error) {
	r, err := x.do(&donate.Request{Op: donate.OpStatFS})
	return p9.ToStatFS(&r.StatFS), err
}

// Open opens regular files, which it donates, and directories.
func (x *file) Open(flags p9.OpenFlags) (p9.QID, uint32, error) {
	a, err := x.attr()
	if err != nil {
		return p9.QID{}, 0, err
	}
	q := p9.ToQID(&a)
	if a.Mode.IsDir() {
		return q, 0, nil
	}
	r, err := x.do(&donate.Request{Op: donate.OpOpen, Flags: uint32(flags.Mode())})
	if err != nil {
		return p9.QID{}, 0, err
	}
	x.data = r.FD
	return q, x.d.Donate(r.FD), nil
}

func (x *file) Create(name string, flags p9.OpenFlags, perm p9.FileMode, uid p9.UID, gid p9.GID) (p9.File, p9.QID, uint32, error) {
	r, err := x.do(&donate.Request{
		Op: donate.OpCreate, Name: name, Flags: uint32(flags.Mode()),
		Mode: uint32(perm), UID: uint32(uid), GID: uint32(gid),
	})
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	data := node{fd: r.FD}
	path, e := x.f.reopen(&data, unix.O_PATH)
	var n *node
	if e == 0 {
		n, _, e = x.f.newNode(path, x.n.m)
	}
	if e != 0 {
		unix.Close(r.FD)
		return nil, p9.QID{}, 0, p9.Errno(e)
	}
	c := &file{f: x.f, d: x.d, n: n, data: r.FD}
	return c, p9.ToQID(&r.Entries[0].Attr), x.d.Donate(r.FD), nil
}

func (x *file) ReadAt(p []byte, off int64) (int, error) {
	if x.data < 0 {
		return 0, p9.Errno(linux.EBADF)
	}
	n, err := unix.Pread(x.data, p, off)
	if err != nil {
		return 0, p9.Errno(donate.Errno(err))
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (x *file) WriteAt(p []byte, off int64) (int, error) {
	if x.data < 0 {
		return 0, p9.Errno(linux.EBADF)
	}
	n, err := unix.Pwrite(x.data, p, off)
	return max(n, 0), p9.Errno(donate.Errno(err))
}

func (x *file) FSync() error {
	_, err := x.do(&donate.Request{Op: donate.OpFsync})
	return err
}

// made turns the reply of a creation into what 9P returns.
func made(r donate.Reply, err error) (p9.QID, error) {
	if err != nil {
		return p9.QID{}, err
	}
	return p9.ToQID(&r.Entries[0].Attr), nil
}

func (x *file) Mkdir(name string, perm p9.FileMode, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return made(x.do(&donate.Request{Op: donate.OpMkdir, Name: name, Mode: uint32(perm), UID: uint32(uid), GID: uint32(gid)}))
}

func (x *file) Symlink(target, name string, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return made(x.do(&donate.Request{Op: donate.OpSymlink, Name: name, Target: target, UID: uint32(uid), GID: uint32(gid)}))
}

func (x *file) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return made(x.do(&donate.Request{
		Op: donate.OpMknod, Name: name, Mode: uint32(mode), Dev: linux.MakeDev(major, minor), UID: uint32(uid), GID: uint32(gid),
	}))
}

// withHandle calls fn with a handle of other for the time of the call.
func (x *file) withHandle(other p9.File, fn func(h uint64) error) error {
	o, ok := other.(*file)
	if !ok || o.n == nil {
		return p9.Errno(linux.EPERM)
	}
	o.n.refs.Add(1)
	h, e := x.f.table.add(o.n)
	if e != 0 {
		o.n.release()
		return p9.Errno(e)
	}
	defer x.f.Clunk([]uint64{h})
	return fn(h)
}

func (x *file) Link(target p9.File, name string) error {
	return x.withHandle(target, func(h uint64) error {
		_, err := x.do(&donate.Request{Op: donate.OpLink, Name: name, Handle2: h})
		return err
	})
}

func (x *file) RenameAt(old string, dir p9.File, name string) error {
	return x.withHandle(dir, func(h uint64) error {
		_, err := x.do(&donate.Request{Op: donate.OpRename, Name: old, Handle2: h, Name2: name})
		return err
	})
}

// Renamed has nothing to do: a node is no path.
func (x *file) Renamed(p9.File, string) {}

func (x *file) UnlinkAt(name string, flags uint32) error {
	_, err := x.do(&donate.Request{Op: donate.OpUnlink, Name: name, Flags: flags})
	return err
}

func (x *file) Readlink() (string, error) {
	if x.n == nil {
		return "", p9.Errno(linux.EINVAL)
	}
	s, e := readlink(x.n.fd, "")
	return s, p9.Errno(e)
}

// Readdir lists names without attributes, as 9P does, at most count bytes.
func (x *file) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	if x.n == nil {
		return nil, io.EOF
	}
	if !x.n.mode.IsDir() {
		return nil, p9.Errno(linux.ENOTDIR)
	}
	var out p9.Dirents
	room := int(min(count, donate.MaxPacket))
	_, e := x.n.dir.read(x.n.fd, offset, func(d *dirent) bool {
		if room -= ninepDirent + len(d.name); room < 0 && len(out) > 0 {
			return false
		}
		q := p9.ToQID(&donate.Attr{Dev: x.n.dev, Ino: d.ino, Mode: linux.FileMode(d.typ) << 12})
		out = append(out, p9.Dirent{QID: q, Offset: d.next, Type: q.Type, Name: string(d.name)})
		return true
	})
	return out, p9.Errno(e)
}

// ninepDirent is what an entry takes in 9P's Rreaddir beside its name.
const ninepDirent = 13 + 8 + 1 + 2

func (x *file) GetXattr(name string) ([]byte, error) {
	r, err := x.do(&donate.Request{Op: donate.OpGetXattr, Name: name})
	return r.Data, err
}

func (x *file) SetXattr(name string, data []byte, flags p9.XattrFlags) error {
	_, err := x.do(&donate.Request{Op: donate.OpSetXattr, Name: name, Data: data, Flags: uint32(flags)})
	return err
}

func (x *file) RemoveXattr(name string) error {
	_, err := x.do(&donate.Request{Op: donate.OpRemoveXattr, Name: name})
	return err
}

func (x *file) ListXattrs() ([]string, error) {
	r, err := x.do(&donate.Request{Op: donate.OpListXattr})
	var names []string
	for _, b := range bytes.Split(r.Data, []byte{0}) {
		if len(b) > 0 {
			names = append(names, string(b))
		}
	}
	return names, err
}
