package syscalls

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/arg"
	"cordon/sentry/cred"
	"cordon/sentry/task"
)

// sysArchPrctl is arch_prctl(2).
//
// Partial: CPUID faulting, shadow stacks and XCOMP permissions are absent:
// EINVAL or ENODEV
func sysArchPrctl(t *task.Task, op linux.ArchPrctlOp, addr arg.Addr) (uintptr, error) {
	r := t.Regs()
	switch op {
	case linux.ARCH_SET_FS, linux.ARCH_SET_GS:
		if !arch.ValidTLS(uint64(addr)) {
			return 0, linux.EPERM
		}
		if op == linux.ARCH_SET_FS {
			r.FSBase = uint64(addr)
		} else {
			r.GSBase = uint64(addr)
		}
		return 0, nil
	case linux.ARCH_GET_FS:
		return 0, arg.StoreAt(t.MM(), uint64(addr), &r.FSBase)
	case linux.ARCH_GET_GS:
		return 0, arg.StoreAt(t.MM(), uint64(addr), &r.GSBase)
	case linux.ARCH_GET_CPUID:
		return 1, nil
	case linux.ARCH_SET_CPUID:
		return 0, linux.ENODEV
	}
	return 0, linux.EINVAL
}

// Partial: the operations for hardware that amd64 lacks, for speculation
// control, memory-failure policy, core scheduling and PR_SET_MM are EINVAL
func sysPrctl(t *task.Task, op linux.PrctlOp, a, b, c, d arg.Hex) (uintptr, error) {
	switch op {
	case linux.PR_SET_NAME:
		return prctlSetName(t, uint64(a))
	case linux.PR_GET_NAME:
		var name [16]byte
		copy(name[:15], t.Name())
		_, err := t.MM().CopyOut(uint64(a), name[:])
		return 0, err
	case linux.PR_SET_PDEATHSIG:
		if a > linux.NSIG {
			return 0, linux.EINVAL
		}
		t.SetParentDeath(linux.Signal(a))
		return 0, nil
	case linux.PR_GET_PDEATHSIG:
		s := int32(t.ParentDeath())
		return 0, arg.StoreAt(t.MM(), uint64(a), &s)
	case linux.PR_GET_DUMPABLE:
		return boolResult(t.Dumpable()), nil
	case linux.PR_SET_DUMPABLE:
		if a > 1 {
			return 0, linux.EINVAL
		}
		t.SetDumpable(a == 1)
		return 0, nil
	case linux.PR_SET_CHILD_SUBREAPER:
		t.Group().SetSubreaper(a != 0)
		return 0, nil
	case linux.PR_GET_CHILD_SUBREAPER:
		v := int32(boolResult(t.Group().Subreaper()))
		return 0, arg.StoreAt(t.MM(), uint64(a), &v)
	case linux.PR_SET_TIMERSLACK:
		t.SetTimerSlack(uint64(a))
		return 0, nil
	case linux.PR_GET_TIMERSLACK:
		return uintptr(t.TimerSlack()), nil
	case linux.PR_GET_TIMING:
		return 0, nil
	case linux.PR_SET_TIMING:
		if a != 0 {
			return 0, linux.EINVAL
		}
		return 0, nil
	case linux.PR_GET_TID_ADDRESS:
		v := t.ClearTID()
		return 0, arg.StoreAt(t.MM(), uint64(a), &v)
	case linux.PR_GET_TSC:
		v := int32(linux.PR_TSC_ENABLE)
		return 0, arg.StoreAt(t.MM(), uint64(a), &v)
	case linux.PR_GET_THP_DISABLE:
		if a|b|c|d != 0 {
			return 0, linux.EINVAL
		}
		return 0, nil
	case linux.PR_SET_VMA:
		return prctlSetVMA(t, uint64(a), uint64(b), uint64(c), uint64(d))
	}
	return prctlCreds(t, op, a, b, c, d)
}

func boolResult(b bool) uintptr {
	if b {
		return 1
	}
	return 0
}

func prctlSetName(t *task.Task, addr uint64) (uintptr, error) {
	s, err := t.MM().CopyInString(addr, 16)
	if err == linux.EFAULT {
		return 0, err
	}
	if err != nil { // no NUL in 16 bytes: the first 15 count
		var b [15]byte
		if _, err := t.MM().CopyIn(addr, b[:]); err != nil {
			return 0, err
		}
		s = string(b[:])
	}
	t.SetName(s)
	return 0, nil
}

func prctlSetVMA(t *task.Task, op, addr, n, name uint64) (uintptr, error) {
	if op != linux.PR_SET_VMA_ANON_NAME {
		return 0, linux.EINVAL
	}
	s := ""
	if name != 0 {
		var err error
		if s, err = t.MM().CopyInString(name, 80); err != nil {
			if err != linux.EFAULT {
				err = linux.EINVAL
			}
			return 0, err
		}
		for _, ch := range []byte(s) {
			if ch < 0x20 || ch > 0x7e || ch == '\\' || ch == '`' || ch == '$' || ch == '[' || ch == ']' {
				return 0, linux.EINVAL
			}
		}
	}
	return 0, t.MM().SetAnonName(addr, n, s)
}

// prctlCreds are the operations on capabilities and privileges.
func prctlCreds(t *task.Task, op linux.PrctlOp, a, b, c, d arg.Hex) (uintptr, error) {
	cr := t.Cred()
	switch op {
	case linux.PR_SET_NO_NEW_PRIVS:
		if a != 1 || b|c|d != 0 {
			return 0, linux.EINVAL
		}
		n := cr.Clone()
		n.NoNewPrivs = true
		t.SetCred(n)
		return 0, nil
	case linux.PR_GET_NO_NEW_PRIVS:
		if a|b|c|d != 0 {
			return 0, linux.EINVAL
		}
		return boolResult(cr.NoNewPrivs), nil
	case linux.PR_CAPBSET_READ:
		if a > cred.LastCap {
			return 0, linux.EINVAL
		}
		return boolResult(cr.Bounding.Has(linux.Capability(a))), nil
	case linux.PR_CAPBSET_DROP:
		if !cr.Has(linux.CAP_SETPCAP) {
			return 0, linux.EPERM
		}
		if a > cred.LastCap {
			return 0, linux.EINVAL
		}
		n := cr.Clone()
		n.Bounding &^= 1 << a
		t.SetCred(n)
		return 0, nil
	case linux.PR_GET_KEEPCAPS:
		return boolResult(cr.Securebits&cred.SecureKeepCaps != 0), nil
	case linux.PR_SET_KEEPCAPS:
		if a > 1 {
			return 0, linux.EINVAL
		}
		if cr.Securebits&cred.SecureKeepCapsLock != 0 {
			return 0, linux.EPERM
		}
		n := cr.Clone()
		n.Securebits &^= cred.SecureKeepCaps
		if a == 1 {
			n.Securebits |= cred.SecureKeepCaps
		}
		t.SetCred(n)
		return 0, nil
	case linux.PR_GET_SECUREBITS:
		return uintptr(cr.Securebits), nil
	case linux.PR_SET_SECUREBITS:
		return prctlSecurebits(t, cred.Securebits(a))
	case linux.PR_CAP_AMBIENT:
		return prctlAmbient(t, uint64(a), uint64(b), c|d)
	case linux.PR_GET_SECCOMP:
		mode, _ := t.Seccomp()
		return uintptr(mode), nil
	case linux.PR_SET_SECCOMP:
		return prctlSeccomp(t, uint64(a), uint64(b))
	}
	return 0, linux.EINVAL
}

func prctlSecurebits(t *task.Task, to cred.Securebits) (uintptr, error) {
	c := t.Cred()
	const locks = cred.Securebits(0xaa)
	old := c.Securebits
	locked := (old & locks) >> 1
	if (old^to)&locked != 0 || old&locks&^to != 0 || to&^cred.SecureAllBits != 0 || !c.Has(linux.CAP_SETPCAP) {
		return 0, linux.EPERM
	}
	n := c.Clone()
	n.Securebits = to
	t.SetCred(n)
	return 0, nil
}

func prctlAmbient(t *task.Task, op, capability uint64, rest arg.Hex) (uintptr, error) {
	c := t.Cred()
	if rest != 0 {
		return 0, linux.EINVAL
	}
	n := c.Clone()
	if op == linux.PR_CAP_AMBIENT_CLEAR_ALL {
		if capability != 0 {
			return 0, linux.EINVAL
		}
		n.Ambient = 0
		t.SetCred(n)
		return 0, nil
	}
	if capability > cred.LastCap {
		return 0, linux.EINVAL
	}
	k := linux.Capability(capability)
	switch op {
	case linux.PR_CAP_AMBIENT_IS_SET:
		return boolResult(c.Ambient.Has(k)), nil
	case linux.PR_CAP_AMBIENT_RAISE:
		if !c.Permitted.Has(k) || !c.Inheritable.Has(k) || c.Securebits&cred.SecureNoAmbient != 0 {
			return 0, linux.EPERM
		}
		n.Ambient |= 1 << capability
	case linux.PR_CAP_AMBIENT_LOWER:
		n.Ambient &^= 1 << capability
	default:
		return 0, linux.EINVAL
	}
	t.SetCred(n)
	return 0, nil
}
