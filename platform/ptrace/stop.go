package ptrace

import (
	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// Selectors of user code and data.
const (
	userCS = 0x33
	userDS = 0x2b
)

// userFlags are the bits of RFLAGS that a program may change.
const userFlags = 0x50dd5

// sanitize makes r something that the host takes. Privilege is the host's to
// guard; this only sees to it that the write does not fail half way. What makes
// no sense (a selector that is none) faults when the guest runs, as it would
// natively.
func sanitize(r *arch.Registers) {
	r.OrigRAX = ^uint64(0) // no call is to be restarted
	r.CS = selector(r.CS, userCS)
	r.SS = selector(r.SS, userDS)
	r.RFlags = r.RFlags&userFlags | 0x202
	for _, s := range [...]*uint64{&r.DS, &r.ES, &r.FS, &r.GS} {
		if *s &= 0xffff; *s != 0 {
			*s |= 3
		}
	}
}

// selector returns a code or stack selector of user privilege; 0 means the usual.
func selector(v, usual uint64) uint64 {
	if v &= 0xffff; v == 0 {
		return usual
	}
	return v | 3
}

// stop reads why a thread has stopped. ok is false when it was not the guest's
// doing; then r has not been written.
func (c *Context) stop(status unix.WaitStatus, r *arch.Registers) (ev platform.Event, ok bool) {
	died := platform.Event{Kind: platform.EventDied}
	sig := status.StopSignal()
	if status>>16 != 0 { // PTRACE_EVENT_STOP: job control from outside
		return ev, false
	}
	if sig == unix.SIGTRAP|0x80 {
		if !c.save(r) {
			return died, true
		}
		if r.RCX != r.RIP {
			return c.oddSyscall(r)
		}
		return platform.Event{Kind: platform.EventSyscall}, true
	}
	var info sigInfo
	if getSigInfo(c.tid, &info) != 0 {
		return ev, false
	}
	if info.code <= 0 { // sent by a process
		return ev, false
	}
	ev = platform.Event{Kind: platform.EventException, Signal: linux.Signal(sig), Code: info.code, Addr: info.addr}
	switch uint(sig) {
	case sigSEGV:
		ev.TrapNo = trapPageFault
		if linux.SigCode(info.code) == linux.SI_KERNEL {
			ev.TrapNo = trapProtection
			ev.Addr = 0
		} else {
			ev.Kind = platform.EventFault
		}
	case sigBUS:
		ev.TrapNo = trapAlignment
		if linux.SigCode(info.code) != linux.BUS_ADRALN {
			ev.Kind = platform.EventFault
			ev.TrapNo = trapPageFault
		}
	case sigFPE:
		ev.TrapNo = trapDivide
		if linux.SigCode(info.code) != linux.FPE_INTDIV {
			ev.TrapNo = trapSIMD
		}
	case sigILL:
		ev.TrapNo = trapOpcode
	case sigTRAP:
		ev.TrapNo = trapBreakpoint
		if linux.SigCode(info.code) == linux.TRAP_TRACE || linux.SigCode(info.code) == linux.TRAP_HWBKPT {
			ev.TrapNo = trapDebug
		} else {
			ev.Addr = 0
		}
	case sigSYS:
		return c.vsyscall(&info, r)
	default:
		return ev, false
	}
	if !c.save(r) {
		return died, true
	}
	if ev.Kind == platform.EventFault {
		ev.Access = faultAccess(&ev, r)
		ev.ErrNo = faultError(&ev)
	}
	return ev, true
}

// Processor exceptions, as a signal frame shows them.
const (
	trapDivide     = 0
	trapDebug      = 1
	trapBreakpoint = 3
	trapOpcode     = 6
	trapProtection = 13
	trapPageFault  = 14
	trapAlignment  = 17
	trapSIMD       = 19
)

// Bits of a page fault's error code.
const (
	faultProtection = 1 << 0
	faultWrite      = 1 << 1
	faultUser       = 1 << 2
	faultFetch      = 1 << 4
)

// faultAccess says what the fault was about where the registers tell. ptrace does
// not show the error code: an instruction fetch is known by its address (an
// instruction may straddle into the page that is missing), the rest is not.
func faultAccess(ev *platform.Event, r *arch.Registers) platform.Access {
	const longest = 15
	if ev.Addr == r.RIP || ev.Addr > r.RIP && ev.Addr-r.RIP < longest && ev.Addr%pageSize == 0 && r.RIP%pageSize > pageSize-longest {
		return platform.Execute
	}
	return platform.Unknown
}

// faultError rebuilds the error code from what is known.
func faultError(ev *platform.Event) uint64 {
	code := uint64(faultUser)
	if linux.SigCode(ev.Code) == linux.SEGV_ACCERR && ev.Signal == linux.SIGSEGV {
		code |= faultProtection
	}
	switch ev.Access {
	case platform.Write:
		code |= faultWrite
	case platform.Execute:
		code |= faultFetch
	}
	return code
}

// oddSyscall handles a call that was not made by the syscall instruction in
// 64-bit code, which leaves the next instruction's address in RCX. int 0x80 and
// compatibility mode call the 32-bit table, which we do not have: the guest gets
// what a kernel without it gives, a protection fault at the instruction.
func (c *Context) oddSyscall(r *arch.Registers) (platform.Event, bool) {
	a, errno := syscallArch(c.tid)
	if errno != 0 {
		return platform.Event{Kind: platform.EventDied}, true
	}
	if a == unix.AUDIT_ARCH_X86_64 {
		return platform.Event{Kind: platform.EventSyscall}, true
	}
	r.RIP -= 2
	r.RAX = r.OrigRAX
	r.OrigRAX = ^uint64(0)
	return platform.Event{
		Kind: platform.EventException, Signal: linux.SIGSEGV, Code: int32(linux.SI_KERNEL), TrapNo: trapProtection,
	}, true
}

// vsyscall turns the filter's trap of a call in the vsyscall page into the guest's
// call. The host has already returned from the page.
func (c *Context) vsyscall(info *sigInfo, r *arch.Registers) (platform.Event, bool) {
	if !c.save(r) {
		return platform.Event{Kind: platform.EventDied}, true
	}
	r.OrigRAX = uint64(info.sysNr)
	r.RAX = uint64(linux.ENOSYS.Result())
	return platform.Event{Kind: platform.EventSyscall}, true
}
