package client

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cordon/gofer/donate"
	"cordon/internal/linux"
)

// A Node is an inode of the host.
type Node struct {
	// immutable
	c      *Client
	handle uint64

	clunked atomic.Bool
}

// Clunk gives the node back; it must not be used any more.
func (n *Node) Clunk() {
	if !n.clunked.Swap(true) {
		n.c.clunk(n.handle)
	}
}

// A Step is one component of a walk.
type Step struct {
	Attr   Attr
	Target string // of a symbolic link
	// Node is the inode, for every directory and for the last component if
	// it was asked for; the caller clunks it.
	Node *Node
}

// A WalkOption says what a walk does with its last component.
type WalkOption struct {
	Node bool            // return its Node whatever it is
	Bare bool            // return no Nodes at all
	Open bool            // donate a descriptor of it if it is a regular file
	Flag linux.OpenFlags // the access mode of Open
}

// Walk walks names from the directory n. It returns the steps it made and, with
// an error, those before the component that cannot be had. It stops after a
// component that is no directory, so fewer steps than names and no error means
// that the last step is in the way. fd is -1 if nothing was opened: also when
// the file may not be opened, which Open then explains.
func (n *Node) Walk(names []string, o WalkOption) (steps []Step, fd int, err error) {
	if len(names) == 0 || len(names) > donate.MaxNames {
		return nil, -1, linux.EINVAL
	}
	for _, name := range names {
		if e := checkName(name); e != 0 {
			return nil, -1, e
		}
	}
	q := donate.Request{Op: donate.OpWalk, Handle: n.handle, Names: names, Flags: uint32(o.Flag & linux.O_ACCMODE)}
	if o.Node {
		q.Mode |= donate.WalkHandle
	}
	if o.Open {
		q.Mode |= donate.WalkOpen
	}
	if o.Bare {
		q.Mode |= donate.WalkBare
	}
	var r donate.Reply
	e := n.c.do(&q, &r)
	if r.Entries != nil && (e == 0 || r.Errno == e) {
		steps = make([]Step, len(r.Entries))
		for i := range r.Entries {
			ent := &r.Entries[i]
			steps[i] = Step{Attr: ent.Attr, Target: ent.Target}
			if ent.Handle != donate.NoHandle {
				steps[i].Node = &Node{c: n.c, handle: ent.Handle}
			}
		}
	}
	return steps, r.FD, asError(e)
}

// attr performs an operation that returns n's attributes.
func (n *Node) attr(q *donate.Request) (Attr, error) {
	q.Handle = n.handle
	var r donate.Reply
	if e := n.c.do(q, &r); e != 0 {
		return Attr{}, e
	}
	return r.Entries[0].Attr, nil
}

// call performs an operation that returns nothing but its error.
func (n *Node) call(q *donate.Request) error {
	q.Handle = n.handle
	var r donate.Reply
	return asError(n.c.do(q, &r))
}

// GetAttr returns the attributes now.
func (n *Node) GetAttr() (Attr, error) { return n.attr(&donate.Request{Op: donate.OpStat}) }

// SetAttr changes attributes and returns them as they are then.
func (n *Node) SetAttr(s SetAttr) (Attr, error) {
	return n.attr(&donate.Request{Op: donate.OpSetAttr, SetAttr: s})
}

// Open returns a descriptor of the regular file n with flags' access mode, and
// its attributes.
func (n *Node) Open(flags linux.OpenFlags) (int, Attr, error) {
	q := donate.Request{Op: donate.OpOpen, Handle: n.handle, Flags: uint32(flags & linux.O_ACCMODE)}
	var r donate.Reply
	if e := n.c.do(&q, &r); e != 0 {
		return -1, Attr{}, e
	}
	return r.FD, r.Entries[0].Attr, nil
}

// join gives q the names in the directory that path leads to, at most so many.
func join(q *donate.Request, path, names []string, most int) linux.Errno {
	if len(names) == 0 || len(path)+len(names) > most {
		return linux.EINVAL
	}
	q.Names, q.Offset = append(slices.Clip(path), names...), uint64(len(path))
	for _, name := range q.Names {
		if e := checkName(name); e != 0 {
			return e
		}
	}
	return 0
}

// An Opened is a regular file that OpenMany has opened, or read: then there are its
// contents, and FD is -1.
type Opened struct {
	Attr     Attr
	FD       int
	Contents []byte
}

// OpenMany opens the regular files called names, at most MaxOpen, in the
// directory that path leads to from n for reading, up to the first that it
// cannot open, or for which there is no room in one answer.
func (n *Node) OpenMany(path, names []string) ([]Opened, error) {
	o, err := n.BeginOpenMany([]Group{{path, names}})
	if err != nil {
		return nil, err
	}
	return o.Wait()
}

// An Opening is an OpenMany in progress.
type Opening struct {
	c    *Client
	q    donate.Request
	r    donate.Reply
	wait func()
}

// A Group is files of one directory, to which Path leads.
type Group struct{ Path, Names []string }

// BeginOpenMany is OpenMany of files of several directories, in order, without waiting.
// The descriptors are there, and have to be closed, only after Wait.
func (n *Node) BeginOpenMany(groups []Group) (*Opening, error) {
	o := &Opening{c: n.c, q: donate.Request{Op: donate.OpOpenMany, Handle: n.handle}}
	for _, g := range groups {
		o.q.Names = append(append(o.q.Names, g.Path...), g.Names...)
		o.q.Handles = append(o.q.Handles, donate.OpenGroup(len(g.Path), len(g.Names)))
	}
	for _, name := range o.q.Names {
		if e := checkName(name); e != 0 {
			return nil, e
		}
	}
	if _, ok := o.q.OpenGroups(); !ok || len(o.q.Names) > donate.MaxBatch {
		return nil, linux.EINVAL
	}
	o.wait = n.c.t.Begin(&o.q, &o.r)
	return o, nil
}

// Wait returns what was opened. It is called once.
func (o *Opening) Wait() ([]Opened, error) {
	o.wait()
	if e := o.c.checked(&o.q, &o.r); e != 0 {
		return nil, e
	}
	out := make([]Opened, len(o.r.Entries))
	fds, data := o.r.FDs, o.r.Data
	for i := range out {
		a := &o.r.Entries[i].Attr
		out[i] = Opened{Attr: *a, FD: -1}
		if o.r.Inline>>i&1 != 0 {
			out[i].Contents, data = data[:a.Size:a.Size], data[a.Size:]
		} else {
			out[i].FD, fds = fds[0], fds[1:]
		}
	}
	return out, nil
}

// Free takes back the room of contents that Wait returned. Nobody may use them any
// more. It need not be called.
func (o *Opening) Free() {
	if p := o.r.Packet; cap(p) >= donate.MaxPacket {
		o.r.Packet = nil
		packets.Put((*packet)(p[:donate.MaxPacket]))
	}
}

// A packet is room for one.
type packet [donate.MaxPacket]byte

var packets = sync.Pool{New: func() any { return new(packet) }}

// MaxOpen is the most files of one OpenMany.
const MaxOpen = donate.MaxOpen

// NoID as a user or group leaves it to the gofer.
const NoID = donate.NoID

// A Perm says whose a created inode is and who may do what. UID or GID NoID
// leaves that to the gofer.
type Perm struct {
	Mode     linux.FileMode // permission, set-ID and sticky bits
	UID, GID uint32
}

// Create makes the regular file name in n, which must not be there, and opens
// it with flags' access mode.
func (n *Node) Create(name string, flags linux.OpenFlags, p Perm) (*Node, Attr, int, error) {
	if e := checkName(name); e != 0 {
		return nil, Attr{}, -1, e
	}
	return n.createOpen(&donate.Request{
		Op: donate.OpCreate, Handle: n.handle, Name: name, Flags: uint32(flags & linux.O_ACCMODE),
		Mode: uint32(p.Mode.PermAndSticky()), UID: p.UID, GID: p.GID,
	})
}

// Tmpfile makes a file without a name in the file system of n, open for
// reading and writing. Link can name it unless flags has O_EXCL.
func (n *Node) Tmpfile(flags linux.OpenFlags, p Perm) (*Node, Attr, int, error) {
	return n.createOpen(&donate.Request{
		Op: donate.OpTmpfile, Handle: n.handle, Flags: uint32(flags & linux.O_EXCL),
		Mode: uint32(p.Mode.PermAndSticky()), UID: p.UID, GID: p.GID,
	})
}

func (n *Node) createOpen(q *donate.Request) (*Node, Attr, int, error) {
	var r donate.Reply
	if e := n.c.do(q, &r); e != 0 {
		return nil, Attr{}, -1, e
	}
	c, a, e := n.c.madeNode(&r, linux.S_IFREG)
	if e != 0 {
		return nil, Attr{}, -1, e
	}
	return c, a, r.FD, nil
}

// Mkdir makes the directory name in n.
func (n *Node) Mkdir(name string, p Perm) (*Node, Attr, error) {
	if e := checkName(name); e != 0 {
		return nil, Attr{}, e
	}
	return n.c.made(&donate.Request{
		Op: donate.OpMkdir, Handle: n.handle, Name: name,
		Mode: uint32(p.Mode.PermAndSticky()), UID: p.UID, GID: p.GID,
	}, linux.S_IFDIR)
}

// Mknod makes a FIFO, a socket, an empty regular file or a whiteout (a
// character device with number 0), as typ says.
func (n *Node) Mknod(name string, typ linux.FileMode, dev uint64, p Perm) (*Node, Attr, error) {
	if e := checkName(name); e != 0 {
		return nil, Attr{}, e
	}
	return n.c.made(&donate.Request{
		Op: donate.OpMknod, Handle: n.handle, Name: name, Dev: dev,
		Mode: uint32(typ.Type() | p.Mode.PermAndSticky()), UID: p.UID, GID: p.GID,
	}, typ.Type())
}

// Symlink makes the symbolic link name in n.
func (n *Node) Symlink(name, target string, p Perm) (*Node, Attr, error) {
	if e := checkName(name); e != 0 {
		return nil, Attr{}, e
	}
	if e := checkTarget(target); e != 0 {
		return nil, Attr{}, e
	}
	return n.c.made(&donate.Request{
		Op: donate.OpSymlink, Handle: n.handle, Name: name, Target: target, UID: p.UID, GID: p.GID,
	}, linux.S_IFLNK)
}

// Link makes name in n another name of target, whose attributes it returns.
func (n *Node) Link(name string, target *Node) (Attr, error) {
	if e := checkName(name); e != 0 {
		return Attr{}, e
	}
	return n.attr(&donate.Request{Op: donate.OpLink, Name: name, Handle2: target.handle})
}

// Unlink removes name from n; flags is AT_REMOVEDIR for a directory.
func (n *Node) Unlink(name string, flags linux.AtFlags) error {
	if e := checkName(name); e != 0 {
		return e
	}
	return n.call(&donate.Request{Op: donate.OpUnlink, Name: name, Flags: uint32(flags)})
}

// Rename moves name in n to newName in dir.
func (n *Node) Rename(name string, dir *Node, newName string, flags linux.RenameFlags) error {
	if e := checkName(name); e != 0 {
		return e
	}
	if e := checkName(newName); e != 0 {
		return e
	}
	return n.call(&donate.Request{Op: donate.OpRename, Name: name, Handle2: dir.handle, Name2: newName, Flags: uint32(flags)})
}

// StatFS returns the file system that n is in.
func (n *Node) StatFS() (StatFS, error) {
	q := donate.Request{Op: donate.OpStatFS, Handle: n.handle}
	var r donate.Reply
	e := n.c.do(&q, &r)
	return r.StatFS, asError(e)
}

// Fsync writes n back, only what is needed to read it again if dataOnly.
func (n *Node) Fsync(dataOnly bool) error {
	q := donate.Request{Op: donate.OpFsync}
	if dataOnly {
		q.Flags = 1
	}
	return n.call(&q)
}

// Fallocate allocates or frees space of the regular file n.
func (n *Node) Fallocate(mode linux.FallocateMode, off, length uint64) (Attr, error) {
	return n.attr(&donate.Request{Op: donate.OpFallocate, Mode: uint32(mode), Offset: off, Length: length})
}

// Connect returns a socket of the type, not blocking, connected to the socket
// that a host process bound to n.
func (n *Node) Connect(sockType int) (int, error) {
	q := donate.Request{Op: donate.OpConnect, Handle: n.handle, Mode: uint32(sockType)}
	var r donate.Reply
	if e := n.c.do(&q, &r); e != 0 {
		return -1, e
	}
	return r.FD, nil
}

// checkXattr says what is wrong with the name of an extended attribute.
func checkXattr(name string) linux.Errno {
	if name == "" || len(name) > linux.XATTR_NAME_MAX {
		return linux.ERANGE
	}
	if strings.IndexByte(name, 0) >= 0 {
		return linux.EINVAL
	}
	return 0
}

// GetXattr returns the value of an extended attribute.
func (n *Node) GetXattr(name string) ([]byte, error) {
	if e := checkXattr(name); e != 0 {
		return nil, e
	}
	q := donate.Request{Op: donate.OpGetXattr, Handle: n.handle, Name: name}
	var r donate.Reply
	e := n.c.do(&q, &r)
	return r.Data, asError(e)
}

// ListXattr returns the names of the extended attributes.
func (n *Node) ListXattr() ([]string, error) {
	q := donate.Request{Op: donate.OpListXattr, Handle: n.handle}
	var r donate.Reply
	if e := n.c.do(&q, &r); e != 0 {
		return nil, e
	}
	var names []string
	for name := range strings.SplitSeq(string(r.Data), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// SetXattr sets an extended attribute.
func (n *Node) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	if e := checkXattr(name); e != 0 {
		return e
	}
	if len(value) > linux.XATTR_SIZE_MAX {
		return linux.E2BIG
	}
	return n.call(&donate.Request{Op: donate.OpSetXattr, Name: name, Data: value, Flags: uint32(flags)})
}

// RemoveXattr removes an extended attribute.
func (n *Node) RemoveXattr(name string) error {
	if e := checkXattr(name); e != 0 {
		return e
	}
	return n.call(&donate.Request{Op: donate.OpRemoveXattr, Name: name})
}

// A RangeLock is a lock on [Start, Start+Length), up to the end if Length is
// 0. Type is F_RDLCK, F_WRLCK or F_UNLCK.
type RangeLock struct {
	Type          uint32
	Start, Length uint64
}

// LockRange tries a record lock for owner; EAGAIN if another owner, or a host
// process, has one in the way.
func (n *Node) LockRange(owner uint64, l RangeLock) error {
	return n.call(&donate.Request{
		Op: donate.OpLock, Owner: owner, Flags: donate.LockRange, Mode: l.Type, Offset: l.Start, Length: l.Length,
	})
}

// GetLock returns a lock in the way of l, of type F_UNLCK if there is none.
func (n *Node) GetLock(owner uint64, l RangeLock) (RangeLock, error) {
	q := donate.Request{
		Op: donate.OpGetLock, Handle: n.handle, Owner: owner, Mode: l.Type, Offset: l.Start, Length: l.Length,
	}
	var r donate.Reply
	if e := n.c.do(&q, &r); e != 0 {
		return RangeLock{}, e
	}
	return RangeLock{Type: r.Lock.Type, Start: r.Lock.Offset, Length: r.Lock.Length}, nil
}

// Flock tries flock(2) for owner; typ is as in RangeLock.
func (n *Node) Flock(owner uint64, typ uint32) error {
	return n.call(&donate.Request{Op: donate.OpLock, Owner: owner, Flags: donate.LockFlock, Mode: typ})
}

// UnlockAll drops every lock of owner on n.
func (n *Node) UnlockAll(owner uint64) error {
	return n.call(&donate.Request{Op: donate.OpUnlockAll, Owner: owner})
}
