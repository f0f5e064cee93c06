package systrap

import (
	"sync"

	"golang.org/x/sys/unix"

	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// The control file holds what the Sentry shares with stubs: a slot for each
// guest thread and, in the first page of a slot's size, the orders for each
// leader, with a page of words for descriptors behind it (platform.FlagKeeper). The Sentry maps all of it; a stub maps what is its own. It is sparse.
const (
	controlSlots = 32 << 10
	controlSize  = controlSlots * slotSize
)

// Offsets in the page of orders, which stubs can only read.
const (
	opsSequence = 0x00 // u32: futex; changes with every list
	opsCount    = 0x04 // u32
	opsReport   = 0x08 // u32: the eventfd to write to
	opsDone     = 0x10 // u64: 1; what the leader reports
	opsFailed   = 0x18 // u64: 12, ENOMEM
	opsDenied   = 0x20 // u64: 13, EACCES
	opsWakes    = 0x28 // u32: 1 when a private FUTEX_WAKE wakes nobody
	opsLooks    = 0x2c // u32: how often the leader looks for more before it sleeps; it hints then
	opsList     = 0x40
	opsEntry    = 64 // number, six arguments, whether it may fail
	maxOrders   = (pageSize - opsList) / opsEntry
)

// control is the file and what of it is in use.
type control struct {
	// immutable
	fd  int
	mem []byte

	// guarded by mu
	mu    sync.Mutex
	free  []int32
	fresh int32 // slots from here on have never been used
}

func newControl() (*control, error) {
	fd, err := unix.MemfdCreate("cordon-control", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.Ftruncate(fd, controlSize); err != nil {
		unix.Close(fd)
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, controlSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &control{fd: fd, mem: mem}, nil
}

func (k *control) close() {
	unix.Munmap(k.mem)
	unix.Close(k.fd)
}

// take returns an unused slot, all zeros. ok is false when there is none.
func (k *control) take() (n int32, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last := len(k.free) - 1; last >= 0 {
		n = k.free[last]
		k.free = k.free[:last]
		return n, true
	}
	if k.fresh == controlSlots {
		return 0, false
	}
	k.fresh++
	return k.fresh - 1, true
}

// drop gives slots back. No stub maps them any more. What the last user left is
// no other's to see.
func (k *control) drop(slots ...int32) {
	for _, n := range slots {
		s := k.slot(n)
		clear(s[:slotXSave+arch.FPUSize()])
		clear(s[slotNested:])
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free = append(k.free, slots...)
}

func (k *control) slot(n int32) []byte {
	return k.mem[int(n)*slotSize : (int(n)+1)*slotSize : (int(n)+1)*slotSize]
}

// An order is one host call for a leader to make.
type order struct {
	number uint64
	args   [6]uint64
	advice bool // it may fail
}

// A report is an eventfd through which a leader says that it has done its orders:
// only a thread that knows the secret can write to it.
type report struct {
	fd     int    // the Sentry's
	theirs uint32 // the stubs' number of it
}

// reports is the set of those that nobody waits for.
type reports struct {
	mu   sync.Mutex
	free []report
	id   uint64 // of the next one, for the zygote's list
}

func (p *reports) take(z *stub.Zygote) (report, unix.Errno) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		r := p.free[last]
		p.free = p.free[:last]
		return r, 0
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return report{}, err.(unix.Errno)
	}
	p.id++
	theirs, errno := z.Descriptor(reportFile(p.id, fd))
	if errno != 0 {
		unix.Close(fd)
		return report{}, errno
	}
	return report{fd, uint32(theirs)}, 0
}

func (p *reports) drop(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, r)
}

func (p *reports) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.free {
		unix.Close(r.fd)
	}
	p.free = nil
}

// reportFile names an eventfd for the zygote's list of donated files. The ids are
// out of the way of those that the Sentry gives its files.
func reportFile(id uint64, fd int) platform.HostFile {
	return platform.HostFile{ID: 1<<63 | id, FD: int32(fd)}
}
