package syscalls

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/arg"
	"cordon/sentry/task"
)

// sysPtrace is ptrace(2).
//
// Partial: debug registers and PTRACE_SINGLEBLOCK are not there (ENOSPC, EIO); filters and rseq's
// area are not shown
func sysPtrace(t *task.Task, request linux.PtraceRequest, pid arg.PID, addr, data uint64) (uintptr, error) {
	if request == linux.PTRACE_TRACEME {
		return ptraceResult(t.TraceMe())
	}
	o := t.Find(int32(pid))
	if o == nil {
		return 0, linux.ESRCH
	}
	switch request {
	case linux.PTRACE_ATTACH, linux.PTRACE_SEIZE:
		return ptraceResult(ptraceAttach(t, o, request == linux.PTRACE_SEIZE, addr, data))
	case linux.PTRACE_INTERRUPT:
		return ptraceResult(t.Interrupt(o))
	case linux.PTRACE_KILL:
		return ptraceResult(t.TraceKill(o))
	}
	c, e := t.Tracee(o)
	if e != 0 {
		return 0, e
	}
	defer c.Leave()
	if mode, ok := resumes[request]; ok {
		if data > linux.NSIG {
			return 0, linux.EIO
		}
		c.Resume(mode, linux.Signal(data))
		return 0, nil
	}
	return ptraceStopped(t, c, request, addr, data)
}

func ptraceResult(e linux.Errno) (uintptr, error) {
	if e != 0 {
		return 0, e
	}
	return 0, nil
}

// resumes are the requests that let a tracee go on.
var resumes = map[linux.PtraceRequest]task.TraceMode{
	linux.PTRACE_CONT:              task.TraceGo,
	linux.PTRACE_SYSCALL:           task.TraceCalls,
	linux.PTRACE_SINGLESTEP:        task.TraceStep,
	linux.PTRACE_SYSEMU:            task.TraceEmu,
	linux.PTRACE_SYSEMU_SINGLESTEP: task.TraceEmuStep,
}

// ptraceOptions are those that there are; PTRACE_O_SUSPEND_SECCOMP is a kernel's that can
// checkpoint.
const ptraceOptions = linux.PTRACE_O_TRACESYSGOOD | linux.PTRACE_O_TRACEFORK | linux.PTRACE_O_TRACEVFORK | linux.PTRACE_O_TRACECLONE |
	linux.PTRACE_O_TRACEEXEC | linux.PTRACE_O_TRACEVFORKDONE | linux.PTRACE_O_TRACEEXIT | linux.PTRACE_O_TRACESECCOMP | linux.PTRACE_O_EXITKILL

func ptraceAttach(t, o *task.Task, seize bool, addr, data uint64) linux.Errno {
	options := linux.PtraceOptions(0)
	if seize {
		if options = linux.PtraceOptions(data); addr != 0 || options&^ptraceOptions != 0 {
			return linux.EIO
		}
	}
	if !mayInspect(t, o) {
		return linux.EPERM
	}
	return t.Attach(o, seize, options)
}

// ptraceStopped are the requests about a tracee that stands still.
func ptraceStopped(t *task.Task, c *task.Tracee, request linux.PtraceRequest, addr, data uint64) (uintptr, error) {
	switch request {
	case linux.PTRACE_PEEKTEXT, linux.PTRACE_PEEKDATA:
		return ptracePeek(t, c, addr, data)
	case linux.PTRACE_POKETEXT, linux.PTRACE_POKEDATA:
		return ptracePoke(c, addr, data)
	case linux.PTRACE_PEEKUSR:
		return ptracePeekUser(t, c, addr, data)
	case linux.PTRACE_POKEUSR:
		return ptracePokeUser(c, addr, data)
	case linux.PTRACE_GETREGS:
		r := c.Regs()
		return 0, arg.StoreAt(t.MM(), data, &r)
	case linux.PTRACE_SETREGS:
		r, err := arg.LoadAt[arch.Registers](t.MM(), data)
		if err != nil {
			return 0, err
		}
		return ptraceResult(c.SetRegs(&r))
	case linux.PTRACE_GETFPREGS, linux.PTRACE_SETFPREGS:
		iov := linux.Iovec{Base: data, Len: fxsaveSize}
		_, err := ptraceFPU(t, c, &iov, fxsaveSize, request == linux.PTRACE_SETFPREGS)
		return 0, err
	case linux.PTRACE_GETREGSET, linux.PTRACE_SETREGSET:
		return ptraceRegset(t, c, addr, data, request == linux.PTRACE_SETREGSET)
	case linux.PTRACE_ARCH_PRCTL:
		return ptraceArchPrctl(t, c, addr, data)
	case linux.PTRACE_DETACH:
		if data > linux.NSIG {
			return 0, linux.EIO
		}
		c.Detach(linux.Signal(data))
		return 0, nil
	case linux.PTRACE_LISTEN:
		return ptraceResult(c.Listen())
	}
	return ptraceAbout(t, c, request, addr, data)
}

// ptraceAbout are the requests about a stop and what signals there are.
func ptraceAbout(t *task.Task, c *task.Tracee, request linux.PtraceRequest, addr, data uint64) (uintptr, error) {
	switch request {
	case linux.PTRACE_SETOPTIONS:
		if linux.PtraceOptions(data)&^ptraceOptions != 0 {
			return 0, linux.EINVAL
		}
		c.SetOptions(linux.PtraceOptions(data))
		return 0, nil
	case linux.PTRACE_GETEVENTMSG:
		m := c.Message()
		return 0, arg.StoreAt(t.MM(), data, &m)
	case linux.PTRACE_GETSIGINFO:
		info, ok := c.Info()
		if !ok {
			return 0, linux.EINVAL
		}
		return 0, arg.StoreAt(t.MM(), data, &info)
	case linux.PTRACE_SETSIGINFO:
		info, err := arg.LoadAt[linux.SigInfo](t.MM(), data)
		if err != nil {
			return 0, err
		}
		if _, ok := c.Info(); !ok {
			return 0, linux.EINVAL
		}
		c.SetInfo(&info)
		return 0, nil
	case linux.PTRACE_PEEKSIGINFO:
		return ptracePeekSigInfo(t, c, addr, data)
	case linux.PTRACE_GETSIGMASK, linux.PTRACE_SETSIGMASK:
		return ptraceSigMask(t, c, addr, data, request == linux.PTRACE_SETSIGMASK)
	case linux.PTRACE_GET_SYSCALL_INFO:
		info, size := c.Call()
		if _, err := t.MM().CopyOut(data, arg.Bytes(&info)[:min(uint64(size), addr)]); err != nil {
			return 0, err
		}
		return uintptr(size), nil
	}
	return 0, linux.EIO
}

const wordSize = 8

func ptracePeek(t *task.Task, c *task.Tracee, addr, data uint64) (uintptr, error) {
	m := c.Task().MM()
	if m == nil {
		return 0, linux.EIO
	}
	var word [wordSize]byte
	if n, _ := m.Remote().ReadAt(addr, word[:]); n < len(word) {
		return 0, linux.EIO
	}
	_, err := t.MM().CopyOut(data, word[:])
	return 0, err
}

func ptracePoke(c *task.Tracee, addr, data uint64) (uintptr, error) {
	m := c.Task().MM()
	if m == nil {
		return 0, linux.EIO
	}
	word := binary.LittleEndian.AppendUint64(nil, data)
	if n, _ := m.Remote().WriteAt(addr, word); n < len(word) {
		return 0, linux.EIO
	}
	return 0, nil
}

// Parts of struct user: the registers at its start, the debug registers.
const (
	userRegsSize = 27 * wordSize
	userDebug    = 848
	userDR7      = userDebug + 7*wordSize
	userSize     = userDebug + 10*wordSize
)

func ptracePeekUser(t *task.Task, c *task.Tracee, addr, data uint64) (uintptr, error) {
	if addr%wordSize != 0 || addr >= userSize {
		return 0, linux.EIO
	}
	word := make([]byte, wordSize)
	if addr < userRegsSize {
		r := c.Regs()
		copy(word, arg.Bytes(&r)[addr:])
	}
	_, err := t.MM().CopyOut(data, word)
	return 0, err
}

func ptracePokeUser(c *task.Tracee, addr, data uint64) (uintptr, error) {
	switch {
	case addr%wordSize != 0 || addr >= userSize:
		return 0, linux.EIO
	case addr < userRegsSize:
		r := c.Regs()
		binary.LittleEndian.PutUint64(arg.Bytes(&r)[addr:], data)
		return ptraceResult(c.SetRegs(&r))
	case addr < userDebug || addr == userDebug+4*wordSize || addr == userDebug+5*wordSize:
		return 0, linux.EIO
	case addr == userDR7 && data&0xff != 0:
		return 0, linux.ENOSPC // as where other tracers have them all
	}
	return 0, nil
}

// fxsaveSize is struct user_fpregs_struct.
const fxsaveSize = 512

// ptraceRegset is PTRACE_GETREGSET and PTRACE_SETREGSET.
func ptraceRegset(t *task.Task, c *task.Tracee, kind, at uint64, set bool) (uintptr, error) {
	iov, err := arg.LoadAt[linux.Iovec](t.MM(), at)
	if err != nil {
		return 0, err
	}
	n := 0
	switch {
	case iov.Len%wordSize != 0:
		return 0, linux.EINVAL
	case kind == linux.NT_PRSTATUS:
		n, err = ptraceRegs(t, c, &iov, set)
	case kind == linux.NT_PRFPREG:
		n, err = ptraceFPU(t, c, &iov, fxsaveSize, set)
	case kind == linux.NT_X86_XSTATE:
		n, err = ptraceFPU(t, c, &iov, arch.FPUSize(), set)
	default:
		return 0, linux.EINVAL
	}
	if err != nil {
		return 0, err
	}
	iov.Len = uint64(n)
	return 0, arg.StoreAt(t.MM(), at, &iov)
}

// ptraceRegs moves the general registers, or as many of them as there is room for.
func ptraceRegs(t *task.Task, c *task.Tracee, iov *linux.Iovec, set bool) (int, error) {
	r := c.Regs()
	b := arg.Bytes(&r)[:min(iov.Len, userRegsSize)]
	if !set {
		return t.MM().CopyOut(iov.Base, b)
	}
	n, err := t.MM().CopyIn(iov.Base, b)
	if err != nil {
		return 0, err
	}
	if e := c.SetRegs(&r); e != 0 {
		return 0, e
	}
	return n, nil
}

// swReserved is where an XSAVE area in memory says which features there are.
const swReserved = 464

// ptraceFPU moves the first size bytes of the extended state.
func ptraceFPU(t *task.Task, c *task.Tracee, iov *linux.Iovec, size int, set bool) (int, error) {
	state, err := c.FPU(t)
	if err != nil {
		return 0, err
	}
	b := make([]byte, min(iov.Len, uint64(size)))
	if !set {
		copy(b, state)
		if len(b) >= fxsaveSize {
			binary.LittleEndian.PutUint64(b[swReserved:], arch.FPUFeatures())
		}
		return t.MM().CopyOut(iov.Base, b)
	}
	if size > fxsaveSize && len(b) != size {
		return 0, linux.EFAULT
	}
	if _, err := t.MM().CopyIn(iov.Base, b); err != nil {
		return 0, err
	}
	n := append([]byte(nil), state...)
	copy(n, b)
	arch.CleanFPU(n)
	if !arch.ValidFPU(n) {
		return 0, linux.EINVAL
	}
	copy(state, n)
	c.ChangedFPU()
	return len(b), nil
}

// ptraceArchPrctl is PTRACE_ARCH_PRCTL: arch_prctl(2) for a tracee.
func ptraceArchPrctl(t *task.Task, c *task.Tracee, addr, op uint64) (uintptr, error) {
	r := c.Regs()
	switch linux.ArchPrctlOp(op) {
	case linux.ARCH_SET_FS, linux.ARCH_SET_GS:
		if !arch.ValidTLS(addr) {
			return 0, linux.EPERM
		}
		if linux.ArchPrctlOp(op) == linux.ARCH_SET_FS {
			r.FSBase = addr
		} else {
			r.GSBase = addr
		}
		return ptraceResult(c.SetRegs(&r))
	case linux.ARCH_GET_FS:
		return 0, arg.StoreAt(t.MM(), addr, &r.FSBase)
	case linux.ARCH_GET_GS:
		return 0, arg.StoreAt(t.MM(), addr, &r.GSBase)
	}
	return 0, linux.EINVAL
}

func ptracePeekSigInfo(t *task.Task, c *task.Tracee, addr, data uint64) (uintptr, error) {
	a, err := arg.LoadAt[linux.PtracePeeksiginfoArgs](t.MM(), addr)
	if err != nil {
		return 0, err
	}
	if a.Flags&^linux.PTRACE_PEEKSIGINFO_SHARED != 0 || a.Nr < 0 {
		return 0, linux.EINVAL
	}
	infos := c.Pending(a.Flags&linux.PTRACE_PEEKSIGINFO_SHARED != 0).Infos
	infos = infos[min(a.Off, uint64(len(infos))):]
	infos = infos[:min(len(infos), int(a.Nr))]
	for i := range infos {
		if err := arg.StoreAt(t.MM(), data+uint64(i*len(arg.Bytes(&infos[i]))), &infos[i]); err != nil {
			if i > 0 {
				return uintptr(i), nil
			}
			return 0, err
		}
	}
	return uintptr(len(infos)), nil
}

func ptraceSigMask(t *task.Task, c *task.Tracee, size, at uint64, set bool) (uintptr, error) {
	if size != wordSize {
		return 0, linux.EINVAL
	}
	if !set {
		m := c.Mask()
		return 0, arg.StoreAt(t.MM(), at, &m)
	}
	m, err := arg.LoadAt[linux.SigSet](t.MM(), at)
	if err != nil {
		return 0, err
	}
	c.SetMask(m)
	return 0, nil
}
