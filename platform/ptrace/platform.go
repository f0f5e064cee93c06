package ptrace

import (
	"sync"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/stub"
)

// Config says how a platform is made.
type Config struct {
	// Zygote is where stubs come from. The platform stops it at its Release.
	Zygote *stub.Zygote

	// Pool is how many unused stubs are kept ready; 0 means 4.
	Pool int
}

// Platform runs guests in stub processes under PTRACE_SYSEMU.
type Platform struct {
	// immutable
	zygote *stub.Zygote
	leader *leader
	cpus   *stub.Placer

	// immutable after New
	xstateSize int // of the host's XSAVE area, AMX included

	// guarded by mu
	mu       sync.Mutex
	released bool
}

var _ platform.Platform = (*Platform)(nil)

// New returns a platform on a running zygote.
func New(cfg Config) (*Platform, error) {
	if cfg.Pool == 0 {
		cfg.Pool = 4
	}
	p := &Platform{zygote: cfg.Zygote, cpus: stub.NewPlacer(-1)}
	p.leader = newLeader(p, cfg.Pool)
	// The first stub says whether tracing is permitted at all.
	if errno := p.leader.check(); errno != 0 {
		p.leader.stop()
		return nil, errno
	}
	return p, nil
}

// Name implements platform.Platform.
func (p *Platform) Name() string { return "ptrace" }

// Bounds implements platform.Platform.
func (p *Platform) Bounds() (uint64, uint64) { return minAddress, maxAddress }

// NewAddressSpace implements platform.Platform.
func (p *Platform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	s, errno := p.leader.take()
	if errno != 0 {
		return nil, linux.ENOMEM
	}
	return &AddressSpace{p: p, pid: s.pid, idle: []idleThread{{tid: s.tid}}}, 0
}

// NewContext implements platform.Platform.
func (p *Platform) NewContext() platform.Context {
	c := &Context{p: p}
	p.cpus.Start(&c.home)
	return c
}

// ForgetFile implements platform.Platform.
func (p *Platform) ForgetFile(f platform.HostFile) { p.zygote.Forget(f) }

// Release implements platform.Platform.
func (p *Platform) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return
	}
	p.released = true
	p.leader.stop()
	p.cpus.Stop()
	p.zygote.Stop()
}
