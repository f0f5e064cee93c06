package spec

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"cordon/internal/linux"

	"github.com/opencontainers/runtime-spec/specs-go"
	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// CompileSeccomp renders a profile as a classic BPF program that the guest's
// kernel runs for its processes. System calls that this machine does not have
// are skipped, as in runc: profiles are written for all machines.
func CompileSeccomp(p *specs.LinuxSeccomp) ([]byte, error) {
	if p.ListenerPath != "" {
		return nil, fmt.Errorf("listenerPath: not supported")
	}
	action, err := seccompAction(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("defaultAction: %w", err)
	}
	f, err := seccomp.NewFilter(action)
	if err != nil {
		return nil, err
	}
	defer f.Release()
	last := 0
	for i, call := range p.Syscalls {
		n, err := addSeccomp(f, call, action)
		if err != nil {
			return nil, fmt.Errorf("syscalls[%d].%w", i, err)
		}
		last = max(last, n)
	}
	for i, flag := range p.Flags {
		switch flag {
		case specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, "SECCOMP_FILTER_FLAG_TSYNC":
			// Nothing is logged or mitigated, and there is one thread.
		default:
			return nil, fmt.Errorf("flags[%d]: %q is not supported", i, flag)
		}
	}
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	m := os.NewFile(uintptr(fd), "seccomp")
	defer m.Close()
	if err := f.ExportBPF(m); err != nil {
		return nil, err
	}
	st, err := m.Stat()
	if err != nil {
		return nil, err
	}
	prog := make([]byte, st.Size())
	if _, err = m.ReadAt(prog, 0); err != nil {
		return nil, err
	}
	if refuses(p.DefaultAction, p.DefaultErrnoRet) && last > 0 {
		prog = append(newerCalls(last), prog...)
	}
	return prog, nil
}

// refuses reports whether the default action is an error other than ENOSYS.
func refuses(a specs.LinuxSeccompAction, errno *uint) bool {
	return a != specs.ActAllow && a != specs.ActLog && a != specs.ActTrace && !(a == specs.ActErrno && errno != nil && *errno == uint(unix.ENOSYS))
}

// newerCalls is the start of a filter that answers ENOSYS to calls that are newer
// than any the profile's author knew: programs then do without them, where an
// EPERM would make them fail (as in runc).
func newerCalls(last int) []byte {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
		x32    = 0x40000000
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	var b []byte
	for _, i := range []unix.SockFilter{
		{Code: load, K: 4}, // the architecture
		{Code: equal, K: unix.AUDIT_ARCH_X86_64, Jf: 4},
		{Code: load, K: 0},
		{Code: above, K: x32 - 1, Jt: 2},
		{Code: above, K: uint32(last), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: enosys},
	} {
		b = binary.LittleEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.LittleEndian.AppendUint32(b, i.K)
	}
	return b
}

// callNumber finds a system call's number: libseccomp's table may be older than
// the guest's kernel.
func callNumber(name string) (seccomp.ScmpSyscall, bool) {
	if nr, err := seccomp.GetSyscallFromName(name); err == nil && nr >= 0 {
		return nr, true
	}
	for _, c := range linux.SyscallNumbers() {
		if c.Name == name && c.AMD64 >= 0 {
			return seccomp.ScmpSyscall(c.AMD64), true
		}
	}
	return 0, false
}

// addSeccomp adds a rule and returns the highest number in it.
func addSeccomp(f *seccomp.ScmpFilter, call specs.LinuxSyscall, defaultAction seccomp.ScmpAction) (last int, err error) {
	action, err := seccompAction(call.Action, call.ErrnoRet)
	if err != nil {
		return 0, fmt.Errorf("action: %w", err)
	}
	conds := make([]seccomp.ScmpCondition, len(call.Args))
	var indexes []uint
	alternatives := false
	for i, a := range call.Args {
		op, ok := compareOps[a.Op]
		if !ok {
			return 0, fmt.Errorf("args[%d].op: %q is no comparison", i, a.Op)
		}
		values := []uint64{a.Value}
		if op == seccomp.CompareMaskedEqual {
			values = append(values, a.ValueTwo)
		}
		if conds[i], err = seccomp.MakeCondition(a.Index, op, values...); err != nil {
			return 0, fmt.Errorf("args[%d]: %w", i, err)
		}
		// Conditions on one argument are alternatives, as runc reads them.
		alternatives = alternatives || slices.Contains(indexes, a.Index)
		indexes = append(indexes, a.Index)
	}
	sets := [][]seccomp.ScmpCondition{conds}
	if alternatives {
		sets = nil
		for _, c := range conds {
			sets = append(sets, []seccomp.ScmpCondition{c})
		}
	}
	for _, name := range call.Names {
		nr, ok := callNumber(name)
		if !ok {
			continue
		}
		last = max(last, int(nr))
		if action == defaultAction {
			continue // libseccomp refuses a rule that changes nothing
		}
		for _, set := range sets {
			if len(set) == 0 {
				err = f.AddRule(nr, action)
			} else {
				err = f.AddRuleConditional(nr, action, set)
			}
			if err != nil {
				return 0, fmt.Errorf("names: %s: %w", name, err)
			}
		}
	}
	return last, nil
}

var compareOps = map[specs.LinuxSeccompOperator]seccomp.ScmpCompareOp{
	specs.OpNotEqual: seccomp.CompareNotEqual, specs.OpLessThan: seccomp.CompareLess,
	specs.OpLessEqual: seccomp.CompareLessOrEqual, specs.OpEqualTo: seccomp.CompareEqual,
	specs.OpGreaterEqual: seccomp.CompareGreaterEqual, specs.OpGreaterThan: seccomp.CompareGreater,
	specs.OpMaskedEqual: seccomp.CompareMaskedEqual,
}

func seccompAction(a specs.LinuxSeccompAction, errno *uint) (seccomp.ScmpAction, error) {
	code := int16(unix.EPERM)
	if errno != nil {
		if *errno > 4095 {
			return 0, fmt.Errorf("errno %d is out of range", *errno)
		}
		code = int16(*errno)
	}
	switch a {
	case specs.ActAllow:
		return seccomp.ActAllow, nil
	case specs.ActErrno:
		return seccomp.ActErrno.SetReturnCode(code), nil
	case specs.ActKill, specs.ActKillThread:
		return seccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return seccomp.ActKillProcess, nil
	case specs.ActTrap:
		return seccomp.ActTrap, nil
	case specs.ActTrace:
		return seccomp.ActTrace.SetReturnCode(code), nil
	case specs.ActLog:
		return seccomp.ActLog, nil
	case specs.ActNotify:
		return 0, fmt.Errorf("%s: no process can be told of a guest's calls", a)
	}
	return 0, fmt.Errorf("%q is not supported", a)
}
