package platformtest

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Instructions on vector registers.
var (
	insToXMM   = []byte{0x66, 0x48, 0x0f, 0x6e, 0xc7} // movq xmm0, rdi
	insFromXMM = []byte{0x66, 0x48, 0x0f, 0x7e, 0xc0} // movq rax, xmm0
	insFillYMM = []byte{0xc4, 0xe2, 0x7d, 0x59, 0xc8} // vpbroadcastq ymm1, xmm0
	insHighYMM = []byte{
		0xc4, 0xe3, 0x7d, 0x39, 0xca, 0x01, // vextracti128 xmm2, ymm1, 1
		0x66, 0x48, 0x0f, 0x7e, 0xd0, // movq rax, xmm2
	}
)

const pattern = 0x1122334455667788

func testFPU(m *machine) {
	avx := hasAVX()
	fill, get := code(insToXMM, insSyscall), code(insFromXMM, insSyscall)
	if avx {
		fill, get = code(insToXMM, insFillYMM, insSyscall), code(insHighYMM, insSyscall)
	}
	m.load(fill...)
	m.poke(0x100, get...)
	m.poke(0x200, insSpin...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		r := regs(0)
		r.RDI = pattern
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		m.apply(as, c, m.mapOp(freeAddr, dataOff, page, write))
		c.FPU()
		for range 3 { // interrupted while spinning
			r = regs(0x200)
			go c.Interrupt()
			m.expect(c.Switch(as, r, false), platform.EventInterrupt, r)
		}
		// Another thread of the same space has registers of its own.
		m.owner(func(d platform.Context) {
			r := regs(0)
			r.RDI = ^uint64(pattern)
			m.expect(d.Switch(as, r, false), platform.EventSyscall, r)
		})
		r = regs(0x100)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.OrigRAX != pattern {
			m.Errorf("vector register is %#x (AVX %v)", r.OrigRAX, avx)
		}
	})
}

// Offsets in an XSAVE area.
const (
	xmm0     = 160
	mxcsr    = 24
	xstateBV = 512
)

func testSetFPU(m *machine) {
	m.load(code(insFromXMM, insSyscall)...)
	m.poke(0x100, code(insToXMM, insSyscall)...)
	as := m.space()
	defer as.Release()
	le := binary.LittleEndian
	set := func(c platform.Context, v uint64) {
		state := append([]byte(nil), c.FPU()...)
		le.PutUint64(state[xmm0:], v)
		le.PutUint64(state[xstateBV:], le.Uint64(state[xstateBV:])|3)
		if errno := c.SetFPU(state); errno != 0 {
			m.Errorf("SetFPU: %v", errno)
		}
	}
	check := func(c platform.Context, v uint64) {
		m.Helper()
		r := regs(0)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.OrigRAX != v {
			m.Errorf("xmm0 is %#x, want %#x", r.OrigRAX, v)
		}
	}
	m.owner(func(c platform.Context) {
		if n := len(c.FPU()); n != arch.FPUSize() {
			m.Errorf("state of %d bytes", n)
		}
		set(c, 5) // before there is a thread
		check(c, 5)
		set(c, 6)
		check(c, 6)
		r := regs(0x100)
		r.RDI = 7
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if v := le.Uint64(c.FPU()[xmm0:]); v != 7 {
			m.Errorf("FPU shows %#x", v)
		}
		for name, spoil := range map[string]func([]byte) []byte{
			"MXCSR":   func(b []byte) []byte { le.PutUint32(b[mxcsr:], ^uint32(0)); return b },
			"header":  func(b []byte) []byte { b[xstateBV+48] = 1; return b },
			"feature": func(b []byte) []byte { le.PutUint64(b[xstateBV:], ^uint64(0)); return b },
			"short":   func(b []byte) []byte { return b[:100] },
			"empty":   func(b []byte) []byte { return nil },
			"long":    func(b []byte) []byte { return make([]byte, 1<<20) },
		} {
			if errno := c.SetFPU(spoil(append([]byte(nil), c.FPU()...))); errno != linux.EINVAL {
				m.Errorf("bad %s: %v", name, errno)
			}
		}
		check(c, 7)
		if errno := c.SetFPU(arch.InitialFPU()); errno != 0 {
			m.Errorf("initial state: %v", errno)
		}
		check(c, 0)
	})
}

func testInterrupt(m *machine) {
	m.load(insSpin...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		for range 20 {
			r := regs(0)
			r.RBX = 77
			go c.Interrupt()
			m.expect(c.Switch(as, r, false), platform.EventInterrupt, r)
			if r.RIP != codeAddr || r.RBX != 77 {
				m.Errorf("stopped at %#x, rbx %d", r.RIP, r.RBX)
			}
		}
	})
}

func testInterruptEarly(m *machine) {
	m.load(insSyscall...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		for range 3 {
			c.Interrupt()
			c.Interrupt()
			r := regs(0)
			m.expect(c.Switch(as, r, false), platform.EventInterrupt, r)
			if r.RIP != codeAddr {
				m.Errorf("the guest ran to %#x", r.RIP)
			}
			// Reported once only.
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		}
	})
}

// testInterruptStorm: no interrupt is lost (the guest would spin for ever), and
// none is reported twice or without a cause.
func testInterruptStorm(m *machine) {
	m.load(code(insCount, insSyscall)...)
	m.poke(0x100, insSpin...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		var sent atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 50 {
					sent.Add(1)
					c.Interrupt()
				}
			}()
		}
		stopped := make(chan struct{})
		go func() { wg.Wait(); close(stopped) }()
		interrupts, calls := int64(0), uint64(0)
		for running := true; running; {
			select {
			case <-stopped:
				running = false
			default:
			}
			r := regs(0)
			r.RBX = calls
			switch ev := c.Switch(as, r, false); ev.Kind {
			case platform.EventInterrupt:
				interrupts++
				if r.RIP == codeAddr && r.RBX != calls {
					m.Errorf("rbx %d before the first instruction, want %d", r.RBX, calls)
				}
			case platform.EventSyscall:
				if calls++; r.RBX != calls {
					m.Errorf("rbx %d, want %d", r.RBX, calls)
				}
			default:
				m.Fatalf("%+v", ev)
			}
		}
		if interrupts > sent.Load() {
			m.Errorf("%d interrupts reported, %d sent", interrupts, sent.Load())
		}
		r := regs(0)
		c.Switch(as, r, false) // may report the last one
		r = regs(0)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		c.Interrupt()
		r = regs(0x100)
		m.expect(c.Switch(as, r, false), platform.EventInterrupt, r)
	})
}
