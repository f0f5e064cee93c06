package sim

import (
	"sync"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Bounds of guest mappings: Linux's, as programs and the loader expect.
const (
	minAddress = 0x10000
	maxAddress = 0x7ffffffff000
	pageSize   = 4096
)

// A Config says what a Platform runs.
type Config struct {
	// Text is what guests execute.
	Text Text
	// Seed decides the schedule.
	Seed uint64
	// Clock is the sandbox's time, which the platform moves on; nil for the
	// host's.
	Clock Clock
	// BeforeSyscall, if not nil, is called before the n-th system call (from
	// 0) is reported, while no other guest runs.
	BeforeSyscall func(n uint64)
}

// A Block is one instruction: see the package's description.
type Block func(*CPU)

// A Text is instructions at guest addresses: Blocks[k] is at Base+16k.
type Text struct {
	Base   uint64
	Blocks []Block
}

// blockSize is the distance of instructions, syscallSize what a system call
// instruction takes before one.
const (
	blockSize   = 16
	syscallSize = 2
)

// Address returns where Blocks[k] is.
func (t *Text) Address(k int) uint64 { return t.Base + uint64(k)*blockSize }

// End returns the address behind the last instruction.
func (t *Text) End() uint64 { return t.Address(len(t.Blocks)) }

// Platform is a platform.Platform.
type Platform struct {
	// immutable
	text   Text
	before func(uint64)
	turn   *turn

	mu sync.Mutex
	// guarded by mu
	calls uint64
}

// New returns a platform.
func New(cfg Config) *Platform {
	return &Platform{text: cfg.Text, before: cfg.BeforeSyscall, turn: newTurn(cfg.Seed, cfg.Clock)}
}

// Name returns "sim".
func (p *Platform) Name() string { return "sim" }

// NewAddressSpace returns an empty address space.
func (p *Platform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	return &AddressSpace{}, 0
}

// NewContext returns a context.
func (p *Platform) NewContext() platform.Context {
	return &Context{p: p, fpu: arch.InitialFPU()}
}

// Bounds returns the range of guest mappings.
func (p *Platform) Bounds() (minAddr, maxAddr uint64) { return minAddress, maxAddress }

// ForgetFile does nothing: no descriptor is kept.
func (p *Platform) ForgetFile(platform.HostFile) {}

// Release does nothing: there is nothing outside the process.
func (p *Platform) Release() {}

// count tells BeforeSyscall of a call. The caller has the turn.
func (p *Platform) count() {
	p.turn.settled()
	p.mu.Lock()
	n := p.calls
	p.calls++
	p.mu.Unlock()
	if p.before != nil {
		p.before(n)
	}
}

// Calls returns how many system calls there were.
func (p *Platform) Calls() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}
