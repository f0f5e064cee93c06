package systrap

import (
	"sync"

	"golang.org/x/sys/unix"

	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// Config says how a platform is made.
type Config struct {
	// Zygote is where stubs come from. The platform stops it at its Release.
	Zygote *Zygote

	// Pool is how many unused stubs are kept ready; 0 means 4.
	Pool int

	// Loadavg is a descriptor of the host's /proc/loadavg, which the platform closes,
	// or 0. By it owners know whether other programs want the CPUs they would spin on.
	Loadavg int
}

func (c *Config) loadavg() int {
	if c.Loadavg == 0 {
		return -1
	}
	return c.Loadavg
}

// A Zygote is the process that stubs are forked from, and the file it shares with
// them.
type Zygote struct {
	*stub.Zygote
	control *control
	marks   map[byte]uint64
}

// Supported says whether the processor has what stubs need: FSGSBASE.
func Supported() bool { return arch.HWCap2() != 0 }

// StartZygote starts the process that stubs are forked from (stub.StartZygote). It
// is called before the caller gives up its right to execute files. SentrySyscalls
// lists what the platform needs from then on.
func StartZygote() (*Zygote, error) {
	if !Supported() {
		return nil, unix.EOPNOTSUPP
	}
	var s secret
	if err := randomSecret(&s); err != nil {
		return nil, err
	}
	code := stub.CopyCode(stubCodeAddress(), codeSize)
	k, err := newControl()
	if err != nil {
		return nil, err
	}
	z, err := stub.StartZygote(func(socket uint64) []byte { return buildELF(code, socket, s) })
	if err != nil {
		k.close()
		return nil, err
	}
	fd, errno := z.Descriptor(platform.HostFile{ID: 1 << 63, FD: int32(k.fd)})
	if errno != 0 || fd != controlDescriptor {
		z.Stop()
		k.close()
		return nil, unix.EPROTO
	}
	return &Zygote{z, k, marks(code)}, nil
}

// Stop ends the zygote and its stubs.
func (z *Zygote) Stop() {
	z.Zygote.Stop()
	z.control.close()
}

// Platform runs guests in stub processes that hand themselves over.
type Platform struct {
	// immutable
	zygote  *stub.Zygote
	control *control
	marks   map[byte]uint64
	place   *stub.Placer

	reports reports
	janitor *janitor

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
	p := &Platform{
		zygote: cfg.Zygote.Zygote, control: cfg.Zygote.control, marks: cfg.Zygote.marks, place: stub.NewPlacer(cfg.loadavg()),
	}
	p.janitor = newJanitor(p, cfg.Pool)
	// The first stub says whether it works at all.
	as, errno := p.newAddressSpace()
	if errno != 0 {
		p.place.Stop()
		return nil, errno
	}
	p.janitor.ready = append(p.janitor.ready, as)
	go p.janitor.run()
	return p, nil
}

// Name implements platform.Platform.
func (p *Platform) Name() string { return "systrap" }

// Bounds implements platform.Platform.
func (p *Platform) Bounds() (uint64, uint64) { return minAddress, maxAddress }

// NewContext implements platform.Platform.
func (p *Platform) NewContext() platform.Context {
	c := &Context{p: p}
	p.place.Start(&c.place)
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
	p.janitor.stop()
	p.place.Stop()
	p.zygote.Stop()
	p.reports.close()
	// The control file stays mapped: a context that nobody released may still
	// look at its slot.
	unix.Close(p.control.fd)
}
