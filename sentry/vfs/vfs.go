package vfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
)

// Limits of this package, each for the whole sandbox.
const (
	// MaxDentries bounds the cached names that nothing uses; beyond it the
	// coldest go.
	MaxDentries = 64 << 10
	// MaxMounts bounds the mounts of one namespace (Linux: fs.mount-max).
	MaxMounts = 100_000
	// MaxDescriptions bounds the open descriptions (Linux: fs.file-max).
	MaxDescriptions = 1 << 20
	// NROpen bounds one descriptor table (Linux: fs.nr_open).
	NROpen = 1 << 20
	// MaxLocks bounds the record locks of one inode.
	MaxLocks = 64 << 10
)

// A VFS is what all mounts, names and open files of a sandbox share. Everything
// that has a Path reaches its VFS through the path's mount.
type VFS struct {
	// immutable
	clock Clock
	fifo  FIFOOpener
	anon  *Mount // shows pipes, sockets and other files without a name
	nsfs  *Mount // shows namespaces

	// set before the first guest runs, then immutable
	types   map[string]FileSystemType
	devices map[deviceKey]DeviceOpener
	drivers map[deviceKey]string // majors for /proc/devices

	// atomic
	renames      atomic.Uint64 // bumped around every change of a name
	descriptions atomic.Int64
	maxOpen      atomic.Int64 // 0: MaxDescriptions
	mountIDs     atomic.Int32
	mountUnique  atomic.Uint64
	groupIDs     atomic.Int32
	anonInos     atomic.Uint64
	devMinors    atomic.Uint32
	cookies      atomic.Uint32
	treeGen      atomic.Uint64 // changes of mounts so far
	hosting      atomic.Bool   // there is a mount whose own come to the host
	watches      atomic.Int64  // watches in all; 0 keeps notify.go out of the way
	sysctl       Sysctls

	mountMu lock.RWMutex[lock.MountTree]
	// guarded by mountMu
	mounts map[mountKey]*Mount // what is mounted where, in every namespace
	supers map[FileSystem]*superblock

	cache  dcache
	memory watch
	waits  lockWaits
}

// A Clock gives the wall time in nanoseconds.
type Clock func() int64

// Sysctls are the switches of /proc/sys/fs that change what this package
// allows. Defaults are Debian's.
type Sysctls struct {
	ProtectedSymlinks  atomic.Int32
	ProtectedHardlinks atomic.Int32
	ProtectedFIFOs     atomic.Int32
	ProtectedRegular   atomic.Int32
	NROpen             atomic.Int32
}

// A FileSystemType is what mount(2) and /proc/filesystems know by name.
type FileSystemType struct {
	// New makes an instance. source and data are mount(2)'s. c is nil when
	// the kernel mounts for itself.
	New func(c *Caller, source, data string) (FileSystem, error)
	// NoDev file systems need no block device ("nodev" in /proc/filesystems).
	NoDev bool
	// UserMount says that CAP_SYS_ADMIN over the mount namespace suffices;
	// without it CAP_SYS_ADMIN over the root user namespace is needed.
	UserMount bool
	// Options are the keys of data that there are, for fsconfig(2); Check refuses
	// "key=value", or "key", with a value that New would refuse. nil: only New does.
	Options []string
	Check   func(option string) error
}

// A Reconfigurer is a file system whose options mount(MS_REMOUNT) can change.
type Reconfigurer interface {
	Reconfigure(data string) error
}

// A Placed file system is a part of a larger one, as a bind mount shows it: Place is
// the path of its root there.
type Placed interface{ Place() string }

// An AlwaysReadOnly file system cannot be mounted for writing if ReadOnly says so.
type AlwaysReadOnly interface{ ReadOnly() bool }

// A MountOptioner shows options of its own in /proc/mounts (",size=64k").
type MountOptioner interface {
	MountOptions() string
}

// New returns a VFS without file systems. fifo may be nil: FIFOs then cannot
// be opened (ENXIO).
func New(clock Clock, fifo FIFOOpener) *VFS {
	v := &VFS{
		clock:   clock,
		fifo:    fifo,
		types:   make(map[string]FileSystemType),
		devices: make(map[deviceKey]DeviceOpener),
		drivers: make(map[deviceKey]string),
		mounts:  make(map[mountKey]*Mount),
		supers:  make(map[FileSystem]*superblock),
	}
	v.cache.limit = MaxDentries
	v.sysctl.ProtectedSymlinks.Store(1)
	v.sysctl.ProtectedHardlinks.Store(1)
	v.sysctl.ProtectedFIFOs.Store(1)
	v.sysctl.ProtectedRegular.Store(2)
	v.sysctl.NROpen.Store(NROpen)
	v.anon, v.nsfs = newAnonMount(v, "anon"), newAnonMount(v, "nsfs")
	return v
}

// Now returns the wall time for timestamps.
func (v *VFS) Now() linux.Timespec { return linux.TimespecFromNS(v.clock()) }

// Sysctls returns the switches of /proc/sys/fs.
func (v *VFS) Sysctls() *Sysctls { return &v.sysctl }

// Register makes a type of file system mountable. Before the first guest runs.
func (v *VFS) Register(name string, t FileSystemType) { v.types[name] = t }

// NextDevice returns a device number for a file system without a block device
// (major 0).
func (v *VFS) NextDevice() uint64 {
	return linux.MakeDev(0, v.devMinors.Add(1)+20)
}

// MaxOpen is how many descriptions there may be (fs.file-max).
func (v *VFS) MaxOpen() int64 {
	if n := v.maxOpen.Load(); n > 0 {
		return n
	}
	return MaxDescriptions
}

// SetMaxOpen lowers the bound.
func (v *VFS) SetMaxOpen(n int64) { v.maxOpen.Store(min(n, MaxDescriptions)) }

// Descriptions returns how many descriptions are open (/proc/sys/fs/file-nr).
func (v *VFS) Descriptions() int64 { return v.descriptions.Load() }

// A superblock is a FileSystem as the VFS keeps it: one root dentry, however
// often it is mounted.
type superblock struct {
	// immutable
	fs         FileSystem
	vfs        *VFS
	root       *Dentry
	revalidate Revalidator // nil: names change only through this package
	paths      PathRevalidator
	ownersKept bool // see OwnersKept
	dev        uint64
	user       *cred.UserNamespace // whose ids it has; nil: the first one's

	// renameMu orders renames between directories.
	renameMu lock.Mutex[lock.RenameFS]

	// refs counts mounts and descriptions; at 0 the file system is released.
	refs atomic.Int64
	// layer says that another file system keeps its files in this one.
	layer atomic.Bool
	// readOnly is the instance's own MS_RDONLY, beside each mount's.
	readOnly atomic.Bool
	writers  atomic.Int64  // of all its mounts
	flags    atomic.Uint64 // MS_SYNCHRONOUS, MS_DIRSYNC, ...
}

// superOf returns fs's superblock with a reference.
// The first time it is one of those that user mounts; nil is the kernel.
func (v *VFS) superOf(fs FileSystem, user *cred.UserNamespace) (*superblock, error) {
	v.mountMu.Lock()
	sb := v.supers[fs]
	if sb != nil {
		sb.refs.Add(1)
	}
	v.mountMu.Unlock()
	if sb != nil {
		return sb, nil
	}
	// The root is asked for its attributes, by which any lock may be taken.
	sb = &superblock{fs: fs, vfs: v, dev: fs.Device()}
	if user != nil && user.Parent != nil {
		sb.user = user
	}
	sb.asserted()
	if r, ok := fs.(AlwaysReadOnly); ok && r.ReadOnly() {
		sb.readOnly.Store(true)
	}
	root, err := newDentry(sb, nil, "", fs.Root())
	if err != nil {
		return nil, err
	}
	sb.root = root
	sb.refs.Store(1)
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	if first := v.supers[fs]; first != nil {
		first.refs.Add(1)
		return first, nil
	}
	v.supers[fs] = sb
	return sb, nil
}

// asserted notes what the file system can do.
func (sb *superblock) asserted() {
	sb.revalidate, _ = sb.fs.(Revalidator)
	sb.paths, _ = sb.fs.(PathRevalidator)
	if k, ok := sb.fs.(OwnersKept); ok {
		sb.ownersKept = k.OwnersKept()
	}
}

func (sb *superblock) decRef() {
	if sb.refs.Add(-1) > 0 {
		return
	}
	v := sb.vfs
	v.mountMu.Lock()
	dead := sb.refs.Load() == 0 && v.supers[sb.fs] == sb
	if dead {
		delete(v.supers, sb.fs)
	}
	v.mountMu.Unlock()
	if dead {
		v.cache.dropSuper(sb)
		sb.fs.Release()
	}
}
