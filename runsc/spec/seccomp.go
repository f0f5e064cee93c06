package spec

import (
	"fmt"
	"os"
	"slices"

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
	for i, call := range p.Syscalls {
		if err := addSeccomp(f, call, action); err != nil {
			return nil, fmt.Errorf("syscalls[%d].%w", i, err)
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
	_, err = m.ReadAt(prog, 0)
	return prog, err
}

func addSeccomp(f *seccomp.ScmpFilter, call specs.LinuxSyscall, defaultAction seccomp.ScmpAction) error {
	action, err := seccompAction(call.Action, call.ErrnoRet)
	if err != nil {
		return fmt.Errorf("action: %w", err)
	}
	if action == defaultAction {
		return nil // libseccomp refuses a rule that changes nothing
	}
	conds := make([]seccomp.ScmpCondition, len(call.Args))
	var indexes []uint
	alternatives := false
	for i, a := range call.Args {
		op, ok := compareOps[a.Op]
		if !ok {
			return fmt.Errorf("args[%d].op: %q is no comparison", i, a.Op)
		}
		values := []uint64{a.Value}
		if op == seccomp.CompareMaskedEqual {
			values = append(values, a.ValueTwo)
		}
		if conds[i], err = seccomp.MakeCondition(a.Index, op, values...); err != nil {
			return fmt.Errorf("args[%d]: %w", i, err)
		}
		// Conditions on one argument are alternatives, as runc reads them.
		alternatives = alternatives || slices.Contains(indexes, a.Index)
		indexes = append(indexes, a.Index)
	}
	for _, name := range call.Names {
		nr, err := seccomp.GetSyscallFromName(name)
		if err != nil {
			continue
		}
		sets := [][]seccomp.ScmpCondition{conds}
		if alternatives {
			sets = nil
			for _, c := range conds {
				sets = append(sets, []seccomp.ScmpCondition{c})
			}
		}
		for _, set := range sets {
			if len(set) == 0 {
				err = f.AddRule(nr, action)
			} else {
				err = f.AddRuleConditional(nr, action, set)
			}
			if err != nil {
				return fmt.Errorf("names: %s: %w", name, err)
			}
		}
	}
	return nil
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
	}
	return 0, fmt.Errorf("%q is not supported", a)
}
