package hostfs

import (
	"strconv"
	"sync"
	"sync/atomic"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// maxHandles bounds what one Sentry can hold.
const maxHandles = 1 << 20

// fsys is the backend of one session.
type fsys struct {
	// immutable
	mounts   []*mount
	procFD   int    // /proc/self/fd
	procPath string // the same as a path prefix
	canChown bool

	table table
	locks lockTable
}

type mount struct {
	// immutable
	name     string
	root     *node
	readOnly bool
	connect  bool
}

// A node is an inode held by an O_PATH descriptor.
type node struct {
	// immutable
	fd       int
	m        *mount
	mode     linux.FileMode // only the type stays true
	dev, ino uint64

	scan *scanner // it is no inode, but a scan that goes on

	refs atomic.Int32
	dir  listing
}

func (n *node) release() {
	if n.refs.Add(-1) != 0 {
		return
	}
	if n.scan != nil {
		n.scan.close()
		return
	}
	n.dir.close()
	unix.Close(n.fd)
}

// procName is the node in procFD: a name of the inode itself.
func (n *node) procName() string { return strconv.Itoa(n.fd) }

// table maps handles to nodes. Handles are small numbers and are used again:
// the 9P library keeps some memory for every name it ever saw, and a handle is
// such a name.
type table struct {
	mu sync.RWMutex

	// guarded by mu
	nodes []*node // nodes[0] is never used
	free  []uint64
}

func (t *table) init() { t.nodes = make([]*node, 1) }

// get returns the node of h with a reference, which the caller releases.
func (t *table) get(h uint64) (*node, linux.Errno) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if h >= uint64(len(t.nodes)) || t.nodes[h] == nil {
		return nil, linux.EBADF
	}
	n := t.nodes[h]
	n.refs.Add(1)
	return n, 0
}

// add gives n a handle, which takes over the caller's reference.
func (t *table) add(n *node) (uint64, linux.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := len(t.free); k > 0 {
		h := t.free[k-1]
		t.free = t.free[:k-1]
		t.nodes[h] = n
		return h, 0
	}
	if len(t.nodes) >= maxHandles {
		return donate.NoHandle, linux.ENFILE
	}
	t.nodes = append(t.nodes, n)
	return uint64(len(t.nodes) - 1), 0
}

// remove takes h out and returns its node, whose reference is the caller's.
func (t *table) remove(h uint64) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h >= uint64(len(t.nodes)) || t.nodes[h] == nil {
		return nil
	}
	n := t.nodes[h]
	t.nodes[h] = nil
	t.free = append(t.free, h)
	return n
}

func (t *table) closeAll() {
	for h := range t.nodes {
		if n := t.remove(uint64(h)); n != nil {
			n.release()
		}
	}
}

// Clunk gives back handles. Unknown ones are ignored: the Sentry harms only
// itself.
func (f *fsys) Clunk(handles []uint64) {
	for _, h := range handles {
		if n := f.table.remove(h); n != nil {
			n.release()
		}
	}
}

const (
	statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID
	resolve  = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
)

// statNode returns the attributes of what fd is.
func statNode(fd int) (donate.Attr, linux.Errno) { return statAt(fd, "", unix.AT_EMPTY_PATH) }

func statAt(fd int, name string, flags int) (donate.Attr, linux.Errno) {
	var st unix.Statx_t
	flags |= unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(fd, name, flags, statMask, &st); err != nil {
		return donate.Attr{}, donate.Errno(err)
	}
	return attrOf(&st), 0
}

func attrOf(st *unix.Statx_t) donate.Attr {
	return donate.Attr{
		Dev: linux.MakeDev(st.Dev_major, st.Dev_minor), Ino: st.Ino,
		Mode: linux.FileMode(st.Mode), Nlink: st.Nlink, UID: st.Uid, GID: st.Gid,
		Rdev: linux.MakeDev(st.Rdev_major, st.Rdev_minor), Size: st.Size, Blocks: st.Blocks, Blksize: st.Blksize,
		Atime: toTime(st.Atime), Mtime: toTime(st.Mtime), Ctime: toTime(st.Ctime), Btime: toTime(st.Btime),
		MountID: st.Mnt_id, Attributes: linux.StatxAttr(st.Attributes), AttributesMask: linux.StatxAttr(st.Attributes_mask),
	}
}

func toTime(t unix.StatxTimestamp) donate.Time { return donate.Time{Sec: t.Sec, Nsec: t.Nsec} }

// checkName accepts what can name an entry of a directory.
func checkName(name string) linux.Errno {
	if name == "" || name == "." || name == ".." {
		return linux.EINVAL
	}
	if len(name) > linux.NAME_MAX {
		return linux.ENAMETOOLONG
	}
	for i := range len(name) {
		if name[i] == '/' || name[i] == 0 {
			return linux.EINVAL
		}
	}
	return 0
}

// lookup returns the node of name in n, with one reference, and its entry
// without a handle.
func (f *fsys) lookup(n *node, name string) (*node, donate.Entry, linux.Errno) {
	if e := checkName(name); e != 0 {
		return nil, donate.Entry{}, e
	}
	if !n.mode.IsDir() {
		return nil, donate.Entry{}, linux.ENOTDIR
	}
	fd, e := openat2(n.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if e != 0 {
		return nil, donate.Entry{}, e
	}
	return f.newNode(fd, n.m)
}

// newNode makes a node of the O_PATH descriptor fd, which it takes over.
func (f *fsys) newNode(fd int, m *mount) (*node, donate.Entry, linux.Errno) {
	var ent donate.Entry
	a, e := statNode(fd)
	if e == 0 && a.Mode.IsSymlink() {
		ent.Target, e = readlink(fd, "")
	}
	if e != 0 {
		unix.Close(fd)
		return nil, donate.Entry{}, e
	}
	ent.Attr = a
	c := &node{fd: fd, m: m, mode: a.Mode, dev: a.Dev, ino: a.Ino}
	c.refs.Store(1)
	return c, ent, 0
}

// openat2 opens name in dir without leaving it.
func openat2(dir int, name string, flags uint64, mode uint32) (int, linux.Errno) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Mode: uint64(mode), Resolve: resolve}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		// EAGAIN: a rename raced with the walk.
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return -1, donate.Errno(err)
		}
		return fd, 0
	}
}

func readlink(dir int, name string) (string, linux.Errno) {
	var b [linux.PATH_MAX]byte
	n, err := unix.Readlinkat(dir, name, b[:])
	if err != nil {
		return "", donate.Errno(err)
	}
	return string(b[:n]), 0
}

// reopen opens the inode of n itself.
func (f *fsys) reopen(n *node, flags int) (int, linux.Errno) {
	for {
		fd, err := unix.Openat(f.procFD, n.procName(), flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, donate.Errno(err)
		}
		return fd, 0
	}
}
