package systrap

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
)

// The host's struct ucontext and siginfo.
const (
	ucFlags    = 0
	ucStack    = 16
	ucRegs     = 40
	ucRFlags   = ucRegs + 17*8
	ucCS       = ucRegs + 18*8
	ucSS       = ucRegs + 18*8 + 6
	ucErr      = ucRegs + 19*8
	ucTrapNo   = ucRegs + 20*8
	ucCR2      = ucRegs + 22*8
	ucFPState  = ucRegs + 23*8
	ucMask     = 296
	ucSize     = 304
	infoSize   = 128
	infoSigno  = 0
	infoCode   = 8
	infoAddr   = 16
	infoCall   = 24 // SIGSYS
	infoArch   = 28 // SIGSYS
	flagTF     = 1 << 8
	callFlags  = 0x246 // after a call of patched code
	userFlags  = 0x50dd5
	userCS     = 0x33
	userDS     = 0x2b
	frameFlags = linux.UC_FP_XSTATE | linux.UC_SIGCONTEXT_SS | linux.UC_STRICT_RESTORE_SS
)

// order of the general registers in struct sigcontext.
func contextRegisters(r *arch.Registers) [17]*uint64 {
	return [17]*uint64{
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15,
		&r.RDI, &r.RSI, &r.RBP, &r.RBX, &r.RDX, &r.RAX, &r.RCX, &r.RSP, &r.RIP,
	}
}

// load makes the waiting thread go on with r.
func (c *Context) load(r *arch.Registers, singleStep bool) bool {
	h := c.t.h
	if c.kind == kindCall && !singleStep && c.state == nil && (c.partial || c.onlyResult(r)) {
		if h.command != commandResult {
			h.command = commandResult
		}
		h.rax = r.RAX
		return true
	}
	c.Complete(r)
	frame := c.frame
	if c.kind != kindSignal {
		if c.state == nil { // it is still in the processor
			if !c.command(commandStore) {
				return false
			}
		}
		frame = slotFrame
		c.newFrame()
	}
	uc := c.t.slot[frame : frame+ucSize]
	if c.state != nil {
		if !c.writeFPU(uc) {
			return false
		}
		c.state = nil
	}
	extra := uint64(0)
	if singleStep && r.RFlags&flagTF == 0 {
		extra, c.stepped = flagTF, true
	}
	putRegisters(uc, r, extra)
	h.fs = canonical(r.FSBase, c.fs)
	h.gs = h.self
	if r.GSBase != 0 {
		h.gs = canonical(r.GSBase, h.self)
	}
	if h.self != c.t.address+slotHeader {
		return false
	}
	h.context = c.t.address + uint64(frame)
	h.command = commandReload
	return true
}

// onlyResult says whether r differs from what the call handed over in nothing but
// its result.
func (c *Context) onlyResult(r *arch.Registers) bool {
	c.last.RAX, c.last.OrigRAX = r.RAX, r.OrigRAX
	return c.last == *r
}

// canonical returns a segment base that the processor takes, or else old.
func canonical(base, old uint64) uint64 {
	if top := int64(base) >> 47; top != 0 && top != -1 {
		return old
	}
	return base
}

// newFrame lays out an empty frame whose extended state is in the XSAVE area.
func (c *Context) newFrame() {
	uc := c.t.slot[slotFrame : slotFrame+ucSize]
	clear(uc)
	le := binary.LittleEndian
	le.PutUint64(uc[ucFlags:], frameFlags)
	le.PutUint64(uc[ucStack:], c.t.address+slotStack)
	le.PutUint64(uc[ucStack+16:], stackSize)
	le.PutUint64(uc[ucMask:], guestMask())
	le.PutUint64(uc[ucFPState:], c.t.address+slotXSave)
	arch.SealFPU(c.t.slot[slotXSave:])
}

// putRegisters writes general registers. Privilege is the host's to guard; what
// makes no sense faults when the guest runs, as it would natively.
func putRegisters(uc []byte, r *arch.Registers, extra uint64) {
	le := binary.LittleEndian
	for i, v := range contextRegisters(r) {
		le.PutUint64(uc[ucRegs+8*i:], *v)
	}
	flags := r.RFlags&userFlags | 0x202 | extra
	le.PutUint64(uc[ucRFlags:], flags)
	le.PutUint16(uc[ucCS:], selector(r.CS, userCS))
	le.PutUint16(uc[ucSS:], selector(r.SS, userDS))
}

// selector returns a code or stack selector of user privilege; 0 means the usual.
func selector(v uint64, usual uint16) uint16 {
	if uint16(v) == 0 {
		return usual
	}
	return uint16(v) | 3
}

// fpuAt returns the extended state that a frame points to, which has to lie in the
// slot.
func (c *Context) fpuAt(uc []byte) []byte {
	at := binary.LittleEndian.Uint64(uc[ucFPState:]) - c.t.address
	size := uint64(arch.FPUSize()) + linux.FP_XSTATE_MAGIC2_SIZE
	if at < slotXSave || at > slotSize-size || at&63 != 0 {
		return nil
	}
	return c.t.slot[at : at+size]
}

// readFPU copies the guest's extended state.
func (c *Context) readFPU(to []byte) bool {
	var area []byte
	switch c.kind {
	case kindSignal:
		area = c.fpuAt(c.t.slot[c.frame : c.frame+ucSize])
	case kindCall:
		if c.command(commandStore) {
			area = c.t.slot[slotXSave:]
		}
	}
	if area == nil {
		return false
	}
	copy(to, area)
	arch.CleanFPU(to)
	return arch.ValidFPU(to)
}

// writeFPU makes c.state the extended state of a frame.
func (c *Context) writeFPU(uc []byte) bool {
	area := c.fpuAt(uc)
	if area == nil {
		return false
	}
	copy(area, c.state)
	arch.SealFPU(area)
	return true
}

// event reads what the guest handed over. ok is false when it was not the guest's
// doing; then r has not been written.
func (c *Context) event(r *arch.Registers, singleStep bool) (ev platform.Event, ok bool) {
	h := c.t.h
	c.kind, c.partial = h.kind, false
	switch c.kind {
	case kindCall:
		r.RAX, r.OrigRAX = uint64(linux.ENOSYS.Result()), h.rax
		r.RDI, r.RSI, r.RDX, r.R10, r.R8, r.R9 = h.rdi, h.rsi, h.rdx, h.r10, h.r8, h.r9
		c.partial = true
		return platform.Event{Kind: platform.EventSyscall, Partial: true}, true
	case kindSignal:
		return c.signal(r)
	}
	return platform.Event{Kind: platform.EventDied}, true
}

// Complete implements platform.Completer. What the header holds by now may be
// another number or other arguments than those of the call: a matter for the guest
// that wrote them.
func (c *Context) Complete(r *arch.Registers) {
	if !c.partial || c.t == nil {
		return
	}
	c.partial = false
	h := c.t.h
	r.RCX, r.RBX, r.RBP, r.RSP, r.R12, r.R13, r.R14, r.R15 = h.rcx, h.rbx, h.rbp, h.rsp, h.r12, h.r13, h.r14, h.r15
	r.RIP, r.R11, r.RFlags, r.CS, r.SS = r.RCX, callFlags, callFlags, userCS, userDS
	r.FSBase, r.GSBase, r.DS, r.ES, r.FS, r.GS = h.fs, 0, 0, 0, 0, 0
	c.fs = h.fs
	c.last = *r
}

// signal reads a signal's frame.
func (c *Context) signal(r *arch.Registers) (ev platform.Event, ok bool) {
	died := platform.Event{Kind: platform.EventDied}
	h := c.t.h
	at, infoAt := h.context-c.t.address, h.info-c.t.address
	if at < slotStack || at > slotSize-ucSize || infoAt < slotStack || infoAt > slotSize-infoSize {
		return died, true
	}
	c.frame = int(at)
	var uc [ucSize]byte
	var info [infoSize]byte
	copy(uc[:], c.t.slot[at:])
	copy(info[:], c.t.slot[infoAt:])
	le := binary.LittleEndian
	var v arch.Registers
	for i, p := range contextRegisters(&v) {
		*p = le.Uint64(uc[ucRegs+8*i:])
	}
	v.RFlags = le.Uint64(uc[ucRFlags:])
	if c.stepped { // not the guest's own
		v.RFlags &^= flagTF
		c.stepped = false
	}
	v.CS, v.SS = uint64(le.Uint16(uc[ucCS:])), uint64(le.Uint16(uc[ucSS:]))
	v.OrigRAX = ^uint64(0)
	v.FSBase, v.GSBase = h.fs, h.gs
	if v.GSBase == c.t.address+slotHeader {
		v.GSBase = 0
	}
	sig := linux.Signal(le.Uint32(info[infoSigno:]))
	if c.foreign(sig, &v) {
		c.fs = v.FSBase
		*r = v
		return platform.Event{Kind: platform.EventSyscall}, true
	}
	ev, ok = c.decode(sig, &info, &uc, &v)
	c.fs = v.FSBase
	*r = v
	return ev, ok
}

// foreign says whether patched code came to the stub with a GS base that is not
// ours: the state is that of a call not yet made.
func (c *Context) foreign(sig linux.Signal, v *arch.Registers) bool {
	if sig != linux.SIGSEGV && sig != linux.SIGILL || v.RIP < c.p.marks[markEntry] || v.RIP > c.p.marks[markForeign] {
		return false
	}
	v.OrigRAX, v.RAX, v.RIP = v.RAX, uint64(linux.ENOSYS.Result()), v.RCX
	return true
}

// decode turns a signal into an event.
func (c *Context) decode(sig linux.Signal, info *[infoSize]byte, uc *[ucSize]byte, v *arch.Registers) (ev platform.Event, ok bool) {
	le := binary.LittleEndian
	code := linux.SigCode(int32(le.Uint32(info[infoCode:])))
	if uint(sig) == kickSignal || code <= 0 {
		return ev, false
	}
	ev = platform.Event{
		Kind: platform.EventException, Signal: sig, Code: int32(code), Addr: le.Uint64(info[infoAddr:]),
		TrapNo: le.Uint64(uc[ucTrapNo:]), ErrNo: le.Uint64(uc[ucErr:]),
	}
	switch sig {
	case linux.SIGSYS:
		number := uint64(le.Uint32(info[infoCall:]))
		if le.Uint32(info[infoArch:]) != unix.AUDIT_ARCH_X86_64 {
			// int 0x80 calls the 32-bit table, which we do not have: the
			// guest gets what a kernel without it gives.
			v.RIP -= 2
			v.RAX = number
			return platform.Event{Kind: platform.EventException, Signal: linux.SIGSEGV, Code: int32(linux.SI_KERNEL), TrapNo: trapProtection}, true
		}
		if uint64(uint32(v.RAX)) == number { // a call by the vsyscall page has left RAX
			number = v.RAX
		}
		v.OrigRAX, v.RAX = number, uint64(linux.ENOSYS.Result())
		return platform.Event{Kind: platform.EventSyscall, Trapped: v.RCX == v.RIP}, true
	case linux.SIGSEGV:
		if code == linux.SI_KERNEL {
			ev.Addr = 0
			break
		}
		ev.Kind = platform.EventFault
	case linux.SIGBUS:
		if code != linux.BUS_ADRALN {
			ev.Kind = platform.EventFault
		}
	case linux.SIGTRAP:
		if code != linux.TRAP_TRACE && code != linux.TRAP_HWBKPT {
			ev.Addr = 0
		}
	}
	if ev.Kind == platform.EventFault {
		ev.Access = access(&ev)
	}
	return ev, true
}

// trapProtection is the processor's number of a general protection fault.
const trapProtection = 13

// Bits of a page fault's error code.
const (
	faultWrite = 1 << 1
	faultFetch = 1 << 4
)

// access says what a page fault was about.
func access(ev *platform.Event) platform.Access {
	switch {
	case ev.ErrNo&faultFetch != 0:
		return platform.Execute
	case ev.ErrNo&faultWrite != 0:
		return platform.Write
	}
	return platform.Read
}
