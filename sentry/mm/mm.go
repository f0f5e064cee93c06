package mm

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
	"cordon/sentry/memmap"
)

// MaxMapCount is the most VMAs of one address space (vm.max_map_count).
const MaxMapCount = 65530

// A Config is what a new address space is made with.
type Config struct {
	Platform platform.Platform
	Memory   *memfile.File
	// Limits are read at every call they apply to.
	Limits *limit.Set
	// Random returns random bits for the layout. Nil is the default source;
	// the simulator gives its own.
	Random func() uint64
	// Fixed lays the space out without randomisation (ADDR_NO_RANDOMIZE).
	Fixed bool
}

// A MemoryManager is one address space.
type MemoryManager struct {
	// immutable
	cfg      Config
	min, max uint64 // bounds of guest mappings

	mapping sync.RWMutex
	// guarded by mapping
	layout   Layout
	mmapBase uint64

	active sync.RWMutex
	// guarded by active

	// atomic
	users atomic.Int64
	as    atomic.Pointer[platform.AddressSpace]
}

// New returns an empty address space with one user.
func New(cfg Config) *MemoryManager {
	if cfg.Random == nil {
		cfg.Random = rand.Uint64
	}
	m := &MemoryManager{cfg: cfg}
	m.users.Store(1)
	return m
}

// MMapOpts are the arguments of MMap.
type MMapOpts struct {
	Addr, Len uint64
	Prot      linux.Prot
	Flags     linux.MapFlags

	// Mappable is nil for anonymous memory. MMap takes a reference of its own
	// to File.
	Mappable memmap.Mappable
	File     memmap.File
	Offset   uint64
	// MaxProt limits what mprotect may give later; zero is everything. The
	// caller has checked it against the file's open mode.
	MaxProt linux.Prot

	// Name is shown by /proc/pid/maps for a mapping without a file.
	Name string
	// LockAnyway says that RLIMIT_MEMLOCK does not apply (CAP_IPC_LOCK).
	LockAnyway bool
}

// IncUsers takes a reference unless the space is already gone.
func (m *MemoryManager) IncUsers() bool { return false }

// DecUsers drops a reference; the last one releases everything. No guest
// thread runs in the space by then.
func (m *MemoryManager) DecUsers() {}

// Activate returns the platform's address space to run in, making it first
// where there is none yet.
func (m *MemoryManager) Activate() (platform.AddressSpace, error) { return nil, linux.ENOMEM }

// Fork returns a copy for a child. limits are the child's.
func (m *MemoryManager) Fork(c platform.Context, limits *limit.Set) (*MemoryManager, error) {
	return nil, linux.ENOMEM
}

// MMap is mmap(2). c, here and below, is the calling task's context when its
// guest thread runs in this space, else nil.
func (m *MemoryManager) MMap(c platform.Context, o MMapOpts) (uint64, error) { return 0, linux.ENOMEM }

// MUnmap is munmap(2).
func (m *MemoryManager) MUnmap(c platform.Context, addr, n uint64) error { return linux.EINVAL }

// MProtect is mprotect(2).
func (m *MemoryManager) MProtect(c platform.Context, addr, n uint64, prot linux.Prot) error {
	return linux.EINVAL
}

// MRemap is mremap(2).
func (m *MemoryManager) MRemap(c platform.Context, old, oldLen, newLen uint64, flags linux.MremapFlags, to uint64) (uint64, error) {
	return 0, linux.EINVAL
}

// SetBrk sets where the heap starts (exec).
func (m *MemoryManager) SetBrk(start uint64) {}

// Brk is brk(2): it returns the new end of the heap, or the old one where the
// request cannot be met.
func (m *MemoryManager) Brk(c platform.Context, end uint64) uint64 { return 0 }

// MapStack makes the first thread's stack and returns its end. The caller
// writes the arguments below it; copies grow it as pushes do.
func (m *MemoryManager) MapStack(c platform.Context, prot linux.Prot) (top uint64, err error) {
	return 0, linux.ENOMEM
}

// HandleFault resolves a fault of a guest thread at addr. Signal zero means that
// the access is to be tried again; else the thread is due signal with code.
// hostSignal is what the host would have sent.
func (m *MemoryManager) HandleFault(c platform.Context, addr uint64, access platform.Access, hostSignal linux.Signal) (signal linux.Signal, code int32) {
	return linux.SIGSEGV, 1
}

// Layout is where the parts of a program are (prctl(PR_SET_MM), /proc).
type Layout struct {
	StartCode, EndCode uint64
	StartData, EndData uint64
	StartBrk, Brk      uint64
	StartStack         uint64
	ArgStart, ArgEnd   uint64
	EnvStart, EnvEnd   uint64
	Auxv               []uint64 // pairs, with AT_NULL
	Exe                memmap.File
}

// Layout returns the layout. Its Exe is not referenced.
func (m *MemoryManager) Layout() Layout { return Layout{} }

// SetLayout changes the layout by f, under the lock. The space takes a
// reference to a new Exe and drops the old one's. Brk and StartBrk are SetBrk's.
func (m *MemoryManager) SetLayout(f func(l *Layout)) {}

// FutexKey names the futex word at addr.
func (m *MemoryManager) FutexKey(addr uint64, private bool) (memmap.FutexKey, error) {
	return memmap.FutexKey{}, linux.EFAULT
}
