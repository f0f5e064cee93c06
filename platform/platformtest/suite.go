package platformtest

import (
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Run runs the suite. open returns a platform, which Run releases, and skips the
// test where there can be none.
func Run(t *testing.T, open func(testing.TB) platform.Platform) {
	p := open(t)
	defer p.Release()
	for _, test := range []struct {
		name string
		f    func(*machine)
	}{
		{"syscall_shows_and_takes_registers", testSyscall},
		{"flags_survive", testFlags},
		{"exceptions_are_reported", testExceptions},
		{"faults_are_reported", testFaults},
		{"fault_beyond_end_of_file_is_SIGBUS", testBus},
		{"map_unmap_protect_are_visible", testMap},
		{"protect_leaves_holes", testHoles},
		{"bad_ops_are_refused", testBadOps},
		{"spaces_share_a_file", testSharing},
		{"single_step", testStep},
		{"extended_state_survives", testFPU},
		{"extended_state_can_be_set", testSetFPU},
		{"interrupt_while_spinning", testInterrupt},
		{"interrupt_before_switch", testInterruptEarly},
		{"interrupt_storm", testInterruptStorm},
		{"two_threads_share_a_space", testTwoThreads},
		{"many_threads", testManyThreads},
		{"threads_come_and_go", testThreadReuse},
		{"apply_from_outside_reaches_a_running_guest", testApplyOutside},
		{"context_moves_to_another_space", testMove},
		{"release_while_others_wait", testRelease},
		{"hostile_registers", testHostile},
		{"other_ways_to_call", testOddCalls},
		{"segment_bases", testSegments},
		{"vdso_tells_the_time", testVDSO},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(newMachine(t, p)) })
	}
}

func testSyscall(m *machine) {
	m.load(code(insSyscall, insSyscall)...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		r := regs(0)
		r.RAX, r.RDI, r.RSI, r.RDX, r.R10, r.R8, r.R9 = 39, 1, 2, 3, 4, 5, 6
		r.RBX, r.RBP, r.R12, r.R13, r.R14, r.R15 = 7, 8, 9, 10, 11, 12
		in := *r
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.SyscallNumber() != 39 || r.SyscallArgs() != [6]uintptr{1, 2, 3, 4, 5, 6} {
			m.Errorf("call %d%v", r.SyscallNumber(), r.SyscallArgs())
		}
		if r.RIP != in.RIP+2 || r.RAX != uint64(linux.ENOSYS.Result()) || r.RSP != in.RSP {
			m.Errorf("rip %#x rax %#x rsp %#x", r.RIP, r.RAX, r.RSP)
		}
		if r.RBX != 7 || r.RBP != 8 || r.R12 != 9 || r.R13 != 10 || r.R14 != 11 || r.R15 != 12 {
			m.Errorf("preserved registers changed: %+v", r)
		}
		r.RAX, r.RBX = 1234, 4321
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.SyscallNumber() != 1234 || r.RBX != 4321 {
			m.Errorf("the guest did not get its registers: %+v", r)
		}
	})
}

func testFlags(m *machine) {
	m.load(insSyscall...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		const carry, zero, direction = 1, 1 << 6, 1 << 10
		r := regs(0)
		r.RFlags |= carry | zero | direction
		want := r.RFlags
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.RFlags != want || r.R11 != want {
			m.Errorf("flags %#x, r11 %#x, want %#x", r.RFlags, r.R11, want)
		}
	})
}

func testExceptions(m *machine) {
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		for _, test := range []struct {
			code   []byte
			signal linux.Signal
			si     linux.SigCode
			rip    uint64
		}{
			{insInt3, linux.SIGTRAP, linux.SI_KERNEL, codeAddr + 1},
			{insUD2, linux.SIGILL, linux.ILL_ILLOPN, codeAddr},
			{insDivide, linux.SIGFPE, linux.FPE_INTDIV, codeAddr + 2},
			{[]byte{0xf4}, linux.SIGSEGV, linux.SI_KERNEL, codeAddr},             // hlt
			{[]byte{0x48, 0xcf}, linux.SIGSEGV, linux.SI_KERNEL, codeAddr},       // iretq to nowhere
			{[]byte{0x0f, 0x01, 0xd0}, linux.SIGSEGV, linux.SI_KERNEL, codeAddr}, // xgetbv of an index that is none
		} {
			m.load(test.code...)
			r := regs(0)
			r.RCX = 99
			r.RSP = dataAddr
			ev := c.Switch(as, r, false)
			if ev.Kind != platform.EventException || ev.Signal != test.signal || ev.Code != int32(test.si) || r.RIP != test.rip {
				m.Errorf("%x: %+v at %#x, want %v code %d at %#x", test.code, ev, r.RIP, test.signal, test.si, test.rip)
			}
		}
	})
}

func testFaults(m *machine) {
	as := m.space()
	defer as.Release()
	m.apply(as, nil, m.mapOp(freeAddr, dataOff, page, read), m.mapOp(freeAddr+page, dataOff, page, linux.PROT_NONE))
	m.owner(func(c platform.Context) {
		for _, test := range []struct {
			name   string
			ins    []byte
			addr   uint64
			si     linux.SigCode
			access platform.Access
		}{
			{"read of nothing", insLoad, 0x12345678, linux.SEGV_MAPERR, platform.Read},
			{"write of nothing", insStore, 0x7f0000000123, linux.SEGV_MAPERR, platform.Write},
			{"execution of nothing", insCallRDI, 0x12345678, linux.SEGV_MAPERR, platform.Execute},
			{"write of read-only", insStore, freeAddr + 8, linux.SEGV_ACCERR, platform.Write},
			{"read of inaccessible", insLoad, freeAddr + page + 16, linux.SEGV_ACCERR, platform.Read},
			{"execution of data", insCallRDI, dataAddr + 64, linux.SEGV_ACCERR, platform.Execute},
			{"read of the null page", insLoad, 0, linux.SEGV_MAPERR, platform.Read},
		} {
			m.load(test.ins...)
			r := regs(0)
			r.RDI = test.addr
			ev := c.Switch(as, r, false)
			if ev.Kind != platform.EventFault || ev.Signal != linux.SIGSEGV || ev.Code != int32(test.si) || ev.Addr != test.addr {
				m.Errorf("%s: %+v", test.name, ev)
			}
			if ev.Access != test.access && ev.Access != platform.Unknown {
				m.Errorf("%s: access %d", test.name, ev.Access)
			}
		}
	})
}

func testBus(m *machine) {
	as := m.space()
	defer as.Release()
	m.apply(as, nil, m.mapOp(freeAddr, fileLen-page, 2*page, write))
	m.load(insLoad...)
	m.owner(func(c platform.Context) {
		r := regs(0)
		r.RDI = freeAddr + page + 8
		ev := c.Switch(as, r, false)
		if ev.Kind != platform.EventFault || ev.Signal != linux.SIGBUS || ev.Code != int32(linux.BUS_ADRERR) || ev.Addr != r.RDI {
			m.Errorf("%+v", ev)
		}
	})
}

func testMap(m *machine) {
	m.load(code(insStore, insSyscall)...)
	m.poke(0x100, code(insLoad, insSyscall)...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		for _, own := range []platform.Context{nil, c} {
			store := func(addr, v uint64, want platform.EventKind) {
				m.Helper()
				r := regs(0)
				r.RDI, r.RAX = addr, v
				m.expect(c.Switch(as, r, false), want, r)
			}
			load := func(addr uint64) byte {
				m.Helper()
				r := regs(0x100)
				r.RDI = addr
				m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
				return byte(r.OrigRAX)
			}
			store(dataAddr, 1, platform.EventSyscall)
			m.apply(as, own, m.mapOp(freeAddr, dataOff+page, page, write))
			store(freeAddr, 0x41, platform.EventSyscall)
			if m.peek(dataOff+page) != 0x41 || load(dataAddr+page) != 0x41 {
				m.Error("a store through the mapping is not in the file")
			}
			// Another part of the file in the same place.
			m.poke(dataOff+2*page, 0x77)
			m.apply(as, own, m.mapOp(freeAddr, dataOff+2*page, page, write))
			if v := load(freeAddr); v != 0x77 {
				m.Errorf("the new mapping shows %#x", v)
			}
			m.apply(as, own, platform.Op{Kind: platform.OpProtect, Addr: freeAddr, Len: page, Prot: read})
			store(freeAddr, 1, platform.EventFault)
			load(freeAddr)
			m.apply(as, own, platform.Op{Kind: platform.OpProtect, Addr: freeAddr, Len: page, Prot: write})
			store(freeAddr, 1, platform.EventSyscall)
			m.apply(as, own, platform.Op{Kind: platform.OpUnmap, Addr: freeAddr, Len: page})
			store(freeAddr, 1, platform.EventFault)
			m.apply(as, own,
				m.mapOp(freeAddr, dataOff, page, write), m.mapOp(freeAddr+page, dataOff+page, page, write),
				platform.Op{Kind: platform.OpReserve, Addr: freeAddr, Len: page})
			store(freeAddr, 1, platform.EventFault)
			store(freeAddr+page, 1, platform.EventSyscall)
			m.apply(as, own, platform.Op{Kind: platform.OpUnmap, Addr: freeAddr, Len: 8 * page})
		}
	})
}

func testHoles(m *machine) {
	m.load(code(insStore, insSyscall)...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		m.apply(as, nil, m.mapOp(freeAddr, dataOff, page, write), m.mapOp(freeAddr+4*page, dataOff, page, write),
			platform.Op{Kind: platform.OpProtect, Addr: freeAddr - page, Len: 8 * page, Prot: read})
		for i := uint64(0); i < 6; i++ {
			want := linux.SEGV_MAPERR
			if i == 0 || i == 4 {
				want = linux.SEGV_ACCERR
			}
			r := regs(0)
			r.RDI = freeAddr + i*page
			if ev := c.Switch(as, r, false); ev.Kind != platform.EventFault || ev.Code != int32(want) {
				m.Errorf("page %d: %+v", i, ev)
			}
		}
	})
}

func testBadOps(m *machine) {
	as := m.space()
	defer as.Release()
	lo, hi := m.p.Bounds()
	for _, op := range []platform.Op{
		m.mapOp(lo-page, 0, page, read),
		m.mapOp(hi, 0, page, read),
		m.mapOp(hi-page, 0, 2*page, read),
		m.mapOp(freeAddr+1, 0, page, read),
		m.mapOp(freeAddr, 0, ^uint64(page-1), read),
		{Kind: platform.OpUnmap, Addr: 0, Len: 1 << 47},
	} {
		if as.Apply(nil, []platform.Op{op}) == 0 {
			m.Errorf("%+v was accepted", op)
		}
	}
	// A file that has no descriptor.
	if as.Apply(nil, []platform.Op{{Kind: platform.OpMap, Addr: freeAddr, Len: page, Prot: read, File: platform.HostFile{ID: nextID(), FD: -1}}}) == 0 {
		m.Error("a file without a descriptor was mapped")
	}
	// A read-only file is not mapped writable.
	fd, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	f := platform.HostFile{ID: nextID(), FD: int32(fd)}
	defer m.p.ForgetFile(f)
	if errno := as.Apply(nil, []platform.Op{{Kind: platform.OpMap, Addr: freeAddr, Len: page, Prot: write, File: f}}); errno != linux.EACCES {
		m.Errorf("writable mapping of a read-only file: %v", errno)
	}
}

func testSharing(m *machine) {
	m.load(code(insStore, insSyscall)...)
	m.poke(0x100, code(insLoad, insSyscall)...)
	a, b := m.space(), m.space()
	defer a.Release()
	defer b.Release()
	m.owner(func(c platform.Context) {
		m.owner(func(d platform.Context) {
			r := regs(0)
			r.RDI, r.RAX = dataAddr+8, 0xbeef
			m.expect(d.Switch(b, r, false), platform.EventSyscall, r)
		})
		r := regs(0x100)
		r.RDI = dataAddr + 8
		m.expect(c.Switch(a, r, false), platform.EventSyscall, r)
		if r.OrigRAX != 0xbeef {
			m.Errorf("read %#x", r.OrigRAX)
		}
	})
}

func testStep(m *machine) {
	m.load(code(insCount, insCount, insSyscall, insCount)...)
	as := m.space()
	defer as.Release()
	m.owner(func(c platform.Context) {
		r := regs(0)
		for i := uint64(1); i <= 2; i++ {
			ev := c.Switch(as, r, true)
			if ev.Kind != platform.EventException || ev.Signal != linux.SIGTRAP || ev.Code != int32(linux.TRAP_TRACE) {
				m.Errorf("step %d: %+v", i, ev)
			}
			if r.RIP != codeAddr+3*i || r.RBX != i || r.RFlags&(1<<8) != 0 {
				m.Errorf("step %d: rip %#x rbx %d flags %#x", i, r.RIP, r.RBX, r.RFlags)
			}
		}
		m.expect(c.Switch(as, r, true), platform.EventSyscall, r)
		r.RAX = 0
		m.load(code(insCount, insCount, insSyscall, insCount, insSyscall)...)
		m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
		if r.RBX != 3 {
			m.Errorf("rbx %d after stepping", r.RBX)
		}
	})
}

// hasAVX says whether the extended state has the upper halves of YMM.
func hasAVX() bool { return arch.FPUFeatures()&4 != 0 }
