package tmpfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

const (
	pageSize = linux.PageSize
	// maxSize is the largest file (Linux: MAX_LFS_FILESIZE).
	maxSize = 1<<63 - 1
	// maxXattrs bounds one inode's extended attributes, names and values.
	maxXattrs = 128 << 10
	// inodeCost is what an xattr or inode costs of nr_inodes' memory.
	direntSize = 20
)

// Options say what to make.
type Options struct {
	Memory *memfile.File
	Clock  vfs.Clock
	Device uint64
	// Total is the memory there is, which the limits default to half of.
	Total uint64
	// Mode, UID and GID are the root's. A zero Mode means 01777.
	Mode     linux.FileMode
	UID, GID uint32
	// User is whose ids Data has; nil: the root's.
	User *cred.UserNamespace
	// Data is mount(2)'s, which goes before what stands above.
	Data string
	// Name is what Type returns, "tmpfs" if empty.
	Name string
}

// An FS is one instance.
type FS struct {
	// immutable
	name string
	mem  *memfile.File
	back memmap.Memory
	now  vfs.Clock
	dev  uint64
	root *dir

	// atomic
	maxPages  atomic.Uint64 // 0: no limit
	maxInodes atomic.Uint64
	pages     atomic.Uint64
	inodes    atomic.Uint64
	lastIno   atomic.Uint64
	opts      atomic.Pointer[string] // as /proc/mounts shows them
}

type settings struct {
	size, inodes       uint64
	haveSize, haveIno  bool
	mode               linux.FileMode
	uid, gid           uint32
	total              uint64
	user               *cred.UserNamespace
	haveMode, haveOwns bool
	text               string
}

// New makes an instance with an empty root directory.
func New(o Options) (*FS, error) {
	s := settings{mode: o.Mode, uid: o.UID, gid: o.GID, total: o.Total, user: o.User}
	if s.mode == 0 {
		s.mode = 0o1777
	}
	if err := s.parse(o.Data); err != nil {
		return nil, err
	}
	fs := &FS{name: o.Name, mem: o.Memory, back: memmap.Memory{File: o.Memory}, now: o.Clock, dev: o.Device}
	fs.opts.Store(&s.text)
	if fs.name == "" {
		fs.name = "tmpfs"
	}
	if !s.haveSize {
		s.size = o.Total / 2
	}
	if !s.haveIno {
		s.inodes = o.Total / pageSize / 2
	}
	fs.maxPages.Store((s.size + pageSize - 1) / pageSize)
	fs.maxInodes.Store(s.inodes)
	n, err := fs.newInode(&vfs.NewInode{Mode: linux.S_IFDIR | s.mode, UID: s.uid, GID: s.gid})
	if err != nil {
		return nil, err
	}
	fs.root = n.(*dir)
	fs.root.parent = fs.root
	fs.root.nlink = 2
	return fs, nil
}

// OptionNames are the keys of mount(2)'s data.
func OptionNames() []string {
	return []string{"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "inode64", "inode32", "noswap"}
}

// CheckOption refuses an option that New would refuse, but for ids that a user namespace
// does not have.
func CheckOption(option string) error { return new(settings).parse(option) }

// parse reads mount(2)'s data.
func (s *settings) parse(data string) error {
	return vfs.ParseOptions(data, func(k, v string) error {
		switch k {
		case "size", "nr_blocks":
			n, ok := s.amount(v, k == "size")
			if !ok {
				return linux.EINVAL
			}
			if k == "nr_blocks" {
				n *= pageSize
			}
			s.size, s.haveSize = n, true
			s.text += ",size=" + strconv.FormatUint((n+1023)/1024, 10) + "k"
		case "nr_inodes":
			n, ok := s.amount(v, false)
			if !ok {
				return linux.EINVAL
			}
			s.inodes, s.haveIno = n, true
			s.text += ",nr_inodes=" + strconv.FormatUint(n, 10)
		case "mode":
			n, err := strconv.ParseUint(v, 8, 32)
			if err != nil {
				return linux.EINVAL
			}
			s.mode, s.haveMode = linux.FileMode(n)&0o7777, true
			if s.mode != 0o1777 {
				s.text += fmt.Sprintf(",mode=%03o", n&0o7777)
			}
		case "uid", "gid":
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				return linux.EINVAL
			}
			s.haveOwns = true
			if !s.own(k == "gid", uint32(n)) {
				return linux.EINVAL
			}
			if n != 0 {
				s.text += "," + k + "=" + v
			}
		case "huge":
			switch v {
			case "never", "always", "within_size", "advise":
				return nil
			}
			return linux.EINVAL
		case "inode64", "inode32", "noswap":
			s.text += "," + k
		default:
			return linux.EINVAL
		}
		return nil
	})
}

// own gives the root directory an owner or a group; false: there is no such id.
func (s *settings) own(group bool, id uint32) bool {
	switch {
	case group && s.user != nil:
		id = s.user.ToRootGID(id)
	case s.user != nil:
		id = s.user.ToRootUID(id)
	}
	if group {
		s.gid = id
	} else {
		s.uid = id
	}
	return id != cred.NoID
}

// amount reads a number with a suffix, or of percent of all memory.
func (s *settings) amount(v string, percent bool) (uint64, bool) {
	shift := 0
	if rest, ok := strings.CutSuffix(v, "%"); ok && percent {
		n, err := strconv.ParseUint(rest, 10, 32)
		return s.total / 100 * n, err == nil
	}
	if v != "" {
		switch v[len(v)-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		case 't', 'T':
			shift = 40
		}
	}
	if shift > 0 {
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseUint(v, 0, 64)
	return n << shift, err == nil && n<<shift>>shift == n
}

// Reconfigure implements vfs.Reconfigurer: the limits may change as far as
// what is used fits.
func (fs *FS) Reconfigure(data string) error {
	s := settings{total: fs.maxPages.Load() * 2 * pageSize}
	if err := s.parse(data); err != nil {
		return err
	}
	if s.haveSize {
		n := (s.size + pageSize - 1) / pageSize
		if n != 0 && n < fs.pages.Load() {
			return linux.EINVAL
		}
		fs.maxPages.Store(n)
	}
	if s.haveIno {
		if s.inodes != 0 && s.inodes < fs.inodes.Load() {
			return linux.EINVAL
		}
		fs.maxInodes.Store(s.inodes)
	}
	text := changedOptions(*fs.opts.Load(), s.text)
	fs.opts.Store(&text)
	return nil
}

// changedOptions returns the text of options with the limits that more has; the rest
// of it has no effect on what is mounted already.
func changedOptions(text, more string) string {
	all := strings.Split(text, ",")
	for option := range strings.SplitSeq(more, ",") {
		key, _, _ := strings.Cut(option, "=")
		if key != "size" && key != "nr_inodes" {
			continue
		}
		i := slices.IndexFunc(all, func(o string) bool { return strings.HasPrefix(o, key+"=") })
		if i < 0 {
			all = append(all, option)
			continue
		}
		all[i] = option
	}
	return strings.Join(all, ",")
}

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return fs.name }

// IDMappable implements vfs.IDMappable: not of devtmpfs and mqueue.
func (fs *FS) IDMappable() bool { return fs.name == "tmpfs" }

// OwnersKept implements vfs.OwnersKept.
func (fs *FS) OwnersKept() bool { return true }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Device implements vfs.FileSystem.
func (fs *FS) Device() uint64 { return fs.dev }

// MountOptions implements vfs.MountOptioner.
func (fs *FS) MountOptions() string { return *fs.opts.Load() }

// StatFS implements vfs.FileSystem.
func (fs *FS) StatFS() (linux.Statfs, error) {
	s := linux.Statfs{Type: linux.TMPFS_MAGIC, Bsize: pageSize, Frsize: pageSize, Namelen: linux.NAME_MAX}
	if n := fs.maxPages.Load(); n != 0 {
		s.Blocks = n
		s.Bfree = n - min(n, fs.pages.Load())
		s.Bavail = s.Bfree
	}
	if n := fs.maxInodes.Load(); n != 0 {
		s.Files = n
		s.Ffree = n - min(n, fs.inodes.Load())
	}
	return s, nil
}

// Release implements vfs.FileSystem: the contents go.
func (fs *FS) Release() { fs.root.releaseTree() }

// usePages counts n more pages.
func (fs *FS) usePages(n uint64) bool {
	if limit := fs.maxPages.Load(); fs.pages.Add(n) > limit && limit != 0 {
		fs.pages.Add(-n)
		return false
	}
	return true
}

func (fs *FS) freePages(n uint64) { fs.pages.Add(-n) }

// newInode makes an inode without a name.
func (fs *FS) newInode(n *vfs.NewInode) (inode, error) {
	if limit := fs.maxInodes.Load(); fs.inodes.Add(1) > limit && limit != 0 {
		fs.inodes.Add(^uint64(0))
		return nil, linux.ENOSPC
	}
	t := fs.now()
	base := node{
		fs: fs, ino: fs.lastIno.Add(1), mode: n.Mode, uid: n.UID, gid: n.GID,
		atime: t, mtime: t, ctime: t, btime: t,
	}
	switch n.Mode.Type() {
	case linux.S_IFDIR:
		d := &dir{}
		d.init(&base)
		d.names = make(map[string]*entry)
		return d, nil
	case linux.S_IFREG:
		f := &file{charge: n.Charge}
		f.init(&base)
		f.seals = linux.F_SEAL_SEAL
		f.pages = newPages()
		return f, nil
	case linux.S_IFLNK:
		l := &link{target: n.Target}
		l.init(&base)
		return l, nil
	}
	s := &special{rdev: n.Rdev}
	s.init(&base)
	return s, nil
}
