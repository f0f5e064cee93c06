package platformtest

import (
	"sync"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// insAtomic is lock inc qword [rdi].
var insAtomic = []byte{0xf0, 0x48, 0xff, 0x07}

// insWaitByte spins until the byte at rdi is not 0:
// 1: cmp byte [rdi],0; pause; je 1b.
var insWaitByte = []byte{0x80, 0x3f, 0x00, 0xf3, 0x90, 0x74, 0xf9}

func testTwoThreads(m *machine) {
	// One waits in the guest for what the other stores.
	m.load(code(insWaitByte, insSyscall)...)
	m.poke(0x100, code(insStore, insSyscall)...)
	as := m.space()
	defer as.Release()
	waiting := m.start(func(c platform.Context) {
		r := regs(0)
		r.RDI = dataAddr
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
	})
	m.owner(func(c platform.Context) {
		r := regs(0x100)
		r.RDI, r.RAX = dataAddr, 1
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
	})
	<-waiting
}

func testManyThreads(m *machine) {
	const threads, rounds = 64, 20
	m.load(code(insAtomic, insSyscall)...)
	as := m.space()
	defer as.Release()
	var wg sync.WaitGroup
	for i := range threads {
		wg.Add(1)
		m.start(func(c platform.Context) {
			defer wg.Done()
			for range rounds {
				r := regs(0)
				r.RDI, r.RAX = dataAddr, uint64(i)
				m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
				if r.OrigRAX != uint64(i) {
					m.Errorf("thread %d sees %d", i, r.OrigRAX)
				}
				base := uint64(freeAddr + i*page)
				m.apply(as, c, m.mapOp(base, dataOff, page, write))
				m.apply(as, c, platform.Op{Kind: platform.OpUnmap, Addr: base, Len: page})
			}
		})
	}
	wg.Wait()
	if got := int(m.peek(dataOff)) | int(m.peek(dataOff+1))<<8; got != threads*rounds {
		m.Errorf("%d increments, want %d", got, threads*rounds)
	}
}

// testThreadReuse: a thread that takes the place of an earlier one inherits
// nothing from it.
func testThreadReuse(m *machine) {
	m.load(code(insToXMM, insSyscall)...)
	m.poke(0x100, code(insFromXMM, insSyscall)...)
	as := m.space()
	defer as.Release()
	for i := range 30 {
		m.owner(func(c platform.Context) {
			r := regs(0x100)
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
			if r.OrigRAX != 0 || r.FSBase != 0 || r.GSBase != 0 {
				m.Fatalf("thread %d starts with xmm0 %#x, bases %#x %#x", i, r.OrigRAX, r.FSBase, r.GSBase)
			}
			r = regs(0)
			r.RDI, r.FSBase, r.GSBase = pattern, 0x1000, 0x2000
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		})
	}
}

func testApplyOutside(m *machine) {
	// Reads the data for ever; says so first.
	m.load(code([]byte{0xc6, 0x07, 0x01}, []byte{0x48, 0x8b, 0x06, 0xeb, 0xfb})...) // mov byte [rdi],1; 1: mov rax,[rsi]; jmp 1b
	as := m.space()
	defer as.Release()
	m.apply(as, nil, m.mapOp(freeAddr, dataOff+page, page, read))
	var ev platform.Event
	done := m.start(func(c platform.Context) {
		r := regs(0)
		r.RDI, r.RSI = dataAddr, freeAddr
		ev = c.Switch(as, r, false)
	})
	for m.peek(dataOff) == 0 {
	}
	m.apply(as, nil, m.mapOp(freeAddr+page, dataOff, page, write)) // of no concern to it
	m.apply(as, nil, platform.Op{Kind: platform.OpUnmap, Addr: freeAddr, Len: page})
	<-done
	if ev.Kind != platform.EventFault || ev.Addr != freeAddr {
		m.Errorf("%+v", ev)
	}
}

func testMove(m *machine) {
	m.load(code(insToXMM, insSyscall)...)
	m.poke(0x100, code(insFromXMM, insSyscall)...)
	m.owner(func(c platform.Context) {
		for range 5 {
			as := m.space()
			r := regs(0x100)
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
			if r.OrigRAX != 0 {
				m.Errorf("xmm0 is %#x in a new space", r.OrigRAX)
			}
			r = regs(0)
			r.RDI = pattern
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
			// The old space goes while the context is still in it.
			defer as.Release()
		}
		a, b := m.space(), m.space()
		r := regs(0)
		m.expect(c.Switch(a, r, false), platform.EventSyscall, r)
		a.Release()
		r = regs(0)
		m.expect(c.Switch(b, r, false), platform.EventSyscall, r)
		b.Release()
	})
}

func testRelease(m *machine) {
	m.load(code(insSyscall, insSyscall)...)
	for range 10 {
		as := m.space()
		var wg sync.WaitGroup
		for range 3 {
			wg.Add(1)
			m.start(func(c platform.Context) {
				r := regs(0)
				m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
				wg.Done()
			})
		}
		wg.Wait()
		as.Release()
		as.Release()
		if as.Apply(nil, []platform.Op{m.mapOp(freeAddr, 0, page, read)}) == 0 {
			m.Error("a released space was changed")
		}
		m.owner(func(c platform.Context) {
			r := regs(0)
			m.expect(c.Switch(as, r, false), platform.EventDied, r)
		})
	}
}

func testHostile(m *machine) {
	m.load(code(insSyscall)...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		all := ^uint64(0)
		for name, spoil := range map[string]func(*arch.Registers){
			"rip not canonical":       func(r *arch.Registers) { r.RIP = 0x8000_0000_0000_0000 },
			"rip in the kernel":       func(r *arch.Registers) { r.RIP = 0xffff_ffff_8100_0000 },
			"rip at the end":          func(r *arch.Registers) { r.RIP = arch.TaskSize },
			"all flags":               func(r *arch.Registers) { r.RFlags = all },
			"no flags":                func(r *arch.Registers) { r.RFlags = 0 },
			"cs of the kernel":        func(r *arch.Registers) { r.CS = 0x10 },
			"cs of 32 bits":           func(r *arch.Registers) { r.CS = 0x23 },
			"cs of nothing":           func(r *arch.Registers) { r.CS = all },
			"ss of the kernel":        func(r *arch.Registers) { r.SS = 0x18 },
			"ss of nothing":           func(r *arch.Registers) { r.SS = 0xfff8 },
			"fs base of the kernel":   func(r *arch.Registers) { r.FSBase = 0xffff_8000_0000_0000 },
			"gs base not canonical":   func(r *arch.Registers) { r.GSBase = 0x8000_0000_0000 },
			"selectors of the kernel": func(r *arch.Registers) { r.DS, r.ES, r.FS, r.GS = 0x18, 0x18, 0x10, 0x10 },
			"selectors of nothing":    func(r *arch.Registers) { r.DS, r.ES, r.FS, r.GS = all, all, all, all },
			"a call to restart":       func(r *arch.Registers) { r.OrigRAX, r.RAX = 34, all-511 },
			"everything": func(r *arch.Registers) {
				for _, p := range words(r) {
					*p = all
				}
			},
		} {
			r := regs(0)
			spoil(r)
			for range 2 {
				ev := c.Switch(as, r, false)
				if ev.Kind != platform.EventSyscall && ev.Kind != platform.EventFault && ev.Kind != platform.EventException {
					m.Errorf("%s: %+v", name, ev)
				}
			}
			m.apply(as, c, m.mapOp(freeAddr, dataOff, page, write))
			r = regs(0)
			r.RAX = 39
			ev := c.Switch(as, r, false)
			if ev.Kind != platform.EventSyscall || r.OrigRAX != 39 || r.RIP != codeAddr+2 {
				m.Errorf("after %s: %+v %+v", name, ev, r)
			}
		}
	})
}

func testOddCalls(m *machine) {
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		m.load(insInt80...)
		r := regs(0)
		r.RAX = 20
		ev := c.Switch(as, r, false)
		if ev.Kind != platform.EventException || ev.Signal != linux.SIGSEGV || r.RIP != codeAddr || r.RAX != 20 {
			m.Errorf("int 0x80: %+v at %#x, rax %d", ev, r.RIP, r.RAX)
		}
		m.load(insCallRDI...)
		r = regs(0)
		r.RDI = 0xffffffffff600400 // time(0) of the vsyscall page
		m.poke(dataOff+0x800, 0x00, 0x00, 0x40, 0, 0, 0, 0, 0)
		r.RSP = dataAddr + 0x800
		ev = c.Switch(as, r, false)
		switch {
		case ev.Kind == platform.EventFault && ev.Addr == 0xffffffffff600400: // the host has none
		case ev.Kind == platform.EventSyscall && r.OrigRAX == 201 && r.RIP == codeAddr && r.RSP == dataAddr+0x808:
		default:
			m.Errorf("vsyscall: %+v %+v", ev, r)
		}
		m.load(code(insSyscall)...)
		r = regs(0)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
	})
}

func testSegments(m *machine) {
	m.load(code([]byte{0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}, insSyscall)...) // mov rax, fs:[0]
	m.poke(dataOff, 0x5a)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		r := regs(0)
		r.FSBase, r.GSBase = dataAddr, 0x1234000
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.OrigRAX != 0x5a || r.FSBase != dataAddr || r.GSBase != 0x1234000 {
			m.Errorf("fs:[0] %#x, bases %#x %#x", r.OrigRAX, r.FSBase, r.GSBase)
		}
		if arch.HWCap2()&2 == 0 {
			return
		}
		// The guest writes a base that no system call could.
		m.load(code([]byte{0xf3, 0x48, 0x0f, 0xae, 0xd7}, insSyscall, insSyscall)...) // wrfsbase rdi
		r = regs(0)
		r.RDI = 0xffff_8000_0000_0000
		r.FSBase, r.GSBase = dataAddr, 0x1234000
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.FSBase != 0xffff_8000_0000_0000 || r.GSBase != 0x1234000 {
			m.Errorf("bases %#x %#x", r.FSBase, r.GSBase)
		}
		r.RIP, r.FSBase = codeAddr+5, dataAddr
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.FSBase != dataAddr {
			m.Errorf("base %#x", r.FSBase)
		}
	})
}

// words returns all registers.
func words(r *arch.Registers) []*uint64 {
	return []*uint64{
		&r.R15, &r.R14, &r.R13, &r.R12, &r.RBP, &r.RBX, &r.R11, &r.R10, &r.R9, &r.R8, &r.RAX, &r.RCX, &r.RDX, &r.RSI,
		&r.RDI, &r.OrigRAX, &r.RIP, &r.CS, &r.RFlags, &r.RSP, &r.SS, &r.FSBase, &r.GSBase, &r.DS, &r.ES, &r.FS, &r.GS,
	}
}
