package mm

import (
	"math/rand/v2"
	"sync/atomic"

	"cordon/internal/check"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/internal/refs"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
	"cordon/sentry/memmap"
)

// MaxMapCount is the most VMAs of one address space (vm.max_map_count).
const MaxMapCount = 65530

// replayMax is how many translations the first Activate maps at once. A program
// just loaded has fewer; a space after fork is left to faults.
const replayMax = 64

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
	// Texts are shared with the other spaces of the sandbox; nil is none.
	Texts *Texts
	// TotalMemory is the memory of the machine that the guest sees, which no
	// single mapping may exceed unless MAP_NORESERVE. Zero is no limit.
	TotalMemory uint64
}

// A MemoryManager is one address space.
type MemoryManager struct {
	// immutable
	cfg      Config
	memory   memmap.Memory
	min, max uint64 // bounds of guest mappings
	mmapBase uint64 // mappings are placed downwards from here
	hugeOK   bool
	patcher  platform.Patcher // of the platform's, or nil
	// parentHabits are those of the space that this one was forked from.
	parentHabits *habits

	// atomic: the text is nobody's to patch (KeepText).
	plain atomic.Bool

	mapping lock.RWMutex[lock.MM]
	// guarded by mapping
	vmas    seg.Set[vma]
	layout  Layout
	sizes   sizes
	peak    uint64 // of sizes.total
	lockNew vmaFlags

	active lock.RWMutex[lock.MMActive]
	// guarded by active
	pmas       seg.Set[pma]
	ops        []platform.Op // being collected
	generation uint64        // of the stub's mappings
	spurious   [8]spuriousFault
	deferred   []backRange // to drop when pins is zero
	held       held
	patches    patches
	habits     *habits
	arenas     []arena // changed with mapping held too
	brkSpare   spare
	stackSpare spare
	vacant     []vacancy
	lost       bool // the stub could not be emptied
	rssPeak    uint64

	// atomic
	users atomic.Int64
	dying atomic.Bool  // killed for memory: its copies do not wait for some
	pins  atomic.Int64 // Blocks callbacks that see windows
	as    atomic.Pointer[platform.AddressSpace]
	lent  atomic.Pointer[loan]

	sleepers sleepers
}

// New returns an empty address space with one user.
func New(cfg Config) *MemoryManager {
	if cfg.Random == nil {
		cfg.Random = rand.Uint64
	}
	m := newManager(cfg)
	m.chooseBase()
	return m
}

func newManager(cfg Config) *MemoryManager {
	m := &MemoryManager{cfg: cfg}
	m.setUp()
	m.users.Store(1)
	return m
}

// setUp fills what follows from the configuration.
func (m *MemoryManager) setUp() {
	m.memory = memmap.Memory{File: m.cfg.Memory}
	m.vmas, m.pmas = newVMAs(), newPMAs()
	m.min, m.max = m.cfg.Platform.Bounds()
	m.min = max(m.min, minAddress)
	m.max = min(m.max, linux.TASK_SIZE)
	m.hugeOK = m.cfg.Memory.Huge()
	if p, ok := m.cfg.Platform.(platform.Patching); ok {
		m.patcher = p.NewPatcher()
	}
}

// IncUsers takes a reference unless the space is already gone.
func (m *MemoryManager) IncUsers() bool { return refs.Try(&m.users) }

// Dying says that the processes of the space were killed to make room: their copies do
// not wait for some.
func (m *MemoryManager) Dying() { m.dying.Store(true) }

// DecUsers drops a reference; the last one releases everything. No guest
// thread runs in the space by then.
func (m *MemoryManager) DecUsers() {
	n := m.users.Add(-1)
	check.That(n >= 0, "mm: a user too many is gone")
	if n == 0 {
		m.releaseAll()
	}
}

func (m *MemoryManager) releaseAll() {
	var rel release
	m.recallFlags()
	m.mapping.Lock()
	m.active.Lock()
	var dying platform.LateReleaser
	if as := m.as.Swap(nil); as != nil {
		late, ok := (*as).(platform.LateReleaser)
		if ok && m.pins.Load() == 0 {
			dying = late
		} else {
			(*as).Release()
		}
	}
	all := seg.Range{Start: 0, End: ^uint64(0)}
	m.dropPMAs(all, &rel)
	m.dropSpares(&rel)
	for i := range m.arenas {
		m.arenas[i].leave()
	}
	m.arenas = nil
	// Whatever the stub kept, it is gone now, or before rel lets go of it.
	m.lost = false
	if m.pins.Load() == 0 {
		rel.pages, m.deferred = append(rel.pages, m.deferred...), nil
	}
	m.apply(nil, &rel)
	m.active.Unlock()
	m.vmas.Remove(all, func(r seg.Range, v vma) {
		if v.mappable != nil {
			v.mappable.RemoveMapping(m, r.Start, memmap.Range{Start: v.off, End: v.off + r.Len()}, v.tracksWrites())
		}
		if v.file != nil {
			rel.files = append(rel.files, v.file)
		}
	})
	if m.layout.Exe != nil {
		rel.files = append(rel.files, m.layout.Exe)
	}
	m.layout, m.sizes = Layout{}, sizes{}
	m.mapping.Unlock()
	// What others can see of it, files above all, is given up now.
	late := rel
	late.files = nil
	rel = release{files: rel.files}
	if dying != nil {
		dying.ReleaseLate(late.run)
	} else {
		m.behind(&late)
	}
	rel.run()
	if m.cfg.Texts != nil {
		m.cfg.Texts.trim()
	}
}

// behind gives pages up that no stub maps, where somebody else can do it: the host is
// asked which of them have memory.
func (m *MemoryManager) behind(rel *release) {
	p, ok := m.cfg.Platform.(platform.Settler)
	if !ok || len(rel.pages) == 0 {
		rel.run()
		return
	}
	late := *rel
	*rel = release{}
	p.Behind(late.run)
}

// Space returns the platform's address space, nil while there is none.
func (m *MemoryManager) Space() platform.AddressSpace {
	if as := m.as.Load(); as != nil {
		return *as
	}
	return nil
}

// Activate returns the platform's address space to run in, making it first
// where there is none yet. The caller is a user.
func (m *MemoryManager) Activate() (platform.AddressSpace, error) {
	if as := m.as.Load(); as != nil {
		return *as, nil
	}
	m.active.Lock()
	defer m.active.Unlock()
	if as := m.as.Load(); as != nil {
		return *as, nil
	}
	as, err := m.cfg.Platform.NewAddressSpace()
	if err != 0 {
		return nil, err
	}
	m.as.Store(&as)
	m.sleepers.answerIn(as)
	var rel release
	m.mapFirst(nil, &rel)
	return as, nil
}

// mapFirst maps what a new stub is likely to need, in one batch: of a program just
// loaded everything, of a forked space its own copies, its text and what earlier
// children of the same parent touched. The rest is left to faults.
func (m *MemoryManager) mapFirst(c platform.Context, rel *release) {
	h := m.parentHabits
	for r, p := range m.pmas.All() {
		own := p.private && !p.cow
		if h != nil && !own && p.prot&linux.PROT_EXEC == 0 && !h.has(r.Start) {
			continue
		}
		if len(m.ops) == replayMax {
			break
		}
		var f platform.OpFlags
		if h != nil && own && r.Len() <= cowSmall || h == nil && p.hidden {
			f = platform.Populate // the copies that fork made; trampolines
		}
		m.mapOp(r, p, f, false)
	}
	m.apply(c, rel)
}

// Bounds returns the lowest address and the end of what can be mapped.
func (m *MemoryManager) Bounds() (lowest, end uint64) { return m.min, m.max }

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

// Layout returns the layout. Its Exe is not referenced: ask ExeFile.
func (m *MemoryManager) Layout() Layout {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	return m.layout
}

// ExeFile returns the executable with a reference, or nil.
func (m *MemoryManager) ExeFile() memmap.File {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	if m.layout.Exe != nil {
		m.layout.Exe.IncRef()
	}
	return m.layout.Exe
}

// SetLayout changes the layout by f, under the lock. The space takes a
// reference to a new Exe and drops the old one's. A new Brk or StartBrk says
// where the heap is and maps nothing.
func (m *MemoryManager) SetLayout(f func(l *Layout)) {
	m.mapping.Lock()
	old := m.layout.Exe
	f(&m.layout)
	exe := m.layout.Exe
	if exe != nil && exe != old {
		exe.IncRef()
	}
	m.mapping.Unlock()
	if old != nil && exe != old {
		old.DecRef()
	}
}

// soft returns a resource limit.
func (m *MemoryManager) soft(r linux.Resource) uint64 {
	if m.cfg.Limits == nil {
		return limit.Infinity
	}
	return m.cfg.Limits.Soft(r)
}
