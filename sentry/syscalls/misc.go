package syscalls

import (
	"slices"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/cred"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// loadVersioned reads a struct whose size the caller gives: shorter ones are
// filled with zeros, longer ones must have zeros behind what is known (Linux:
// copy_struct_from_user).
func loadVersioned[T any](m *mm.MemoryManager, addr, size uint64) (T, error) {
	var v T
	b := arg.Bytes(&v)
	n := min(uint64(len(b)), size)
	if _, err := m.CopyIn(addr, b[:n]); err != nil {
		return v, err
	}
	if size > n {
		rest := make([]byte, size-n)
		if _, err := m.CopyIn(addr+n, rest); err != nil {
			return v, err
		}
		for _, x := range rest {
			if x != 0 {
				return v, linux.E2BIG
			}
		}
	}
	return v, nil
}

// sysUname is uname(2).
func sysUname(t *task.Task, out arg.Out[linux.Utsname]) (uintptr, error) {
	var u linux.Utsname
	host, domain := t.Namespaces().UTS.Names()
	copy(u.Sysname[:64], "Linux")
	copy(u.Nodename[:64], host)
	copy(u.Release[:64], linux.Release)
	copy(u.Version[:64], linux.Version)
	machine := "x86_64"
	if t.Personality()&linux.PER_MASK == linux.PER_LINUX32 {
		machine = "i686"
	}
	copy(u.Machine[:64], machine)
	copy(u.Domainname[:64], domain)
	return 0, out.Store(t.MM(), &u)
}

const maxHostName = 64

func setName(t *task.Task, in arg.InBytes, n arg.Count, set func(string)) (uintptr, error) {
	if !t.Cred().HasIn(linux.CAP_SYS_ADMIN, t.Namespaces().UTS.UserNS(t.System())) {
		return 0, linux.EPERM
	}
	if n < 0 || n > maxHostName {
		return 0, linux.EINVAL
	}
	b, err := in.Bytes(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	set(string(b))
	return 0, nil
}

// sysSethostname is sethostname(2).
func sysSethostname(t *task.Task, name arg.InBytes, n arg.Count) (uintptr, error) {
	return setName(t, name, n, t.Namespaces().UTS.SetHost)
}

// sysSetdomainname is setdomainname(2).
func sysSetdomainname(t *task.Task, name arg.InBytes, n arg.Count) (uintptr, error) {
	return setName(t, name, n, t.Namespaces().UTS.SetDomain)
}

// sysSysinfo is sysinfo(2).
func sysSysinfo(t *task.Task, out arg.Out[linux.Sysinfo]) (uintptr, error) {
	s := t.System()
	total, used := t.Memory()
	load := s.LoadAverages()
	const fixed = 1 << 16
	si := linux.Sysinfo{
		Uptime: t.OwnBoottime() / 1e9, Totalram: total, Freeram: total - min(used, total),
		Procs: uint16(min(len(s.Tasks()), 1<<16-1)), MemUnit: 1,
	}
	for i := range si.Loads {
		si.Loads[i] = uint64(load[i] * fixed)
	}
	return 0, out.Store(t.MM(), &si)
}

// maxRandom bounds one getrandom (Linux: INT_MAX).
const maxRandom = 0x7fffffff

// sysGetrandom is getrandom(2).
func sysGetrandom(t *task.Task, buf arg.OutBytes, n arg.Size, flags linux.GetrandomFlags) (uintptr, error) {
	const known = linux.GRND_NONBLOCK | linux.GRND_RANDOM | linux.GRND_INSECURE
	if flags&^known != 0 || flags&(linux.GRND_RANDOM|linux.GRND_INSECURE) == linux.GRND_RANDOM|linux.GRND_INSECURE {
		return 0, linux.EINVAL
	}
	dst, err := buf.Seq(t.MM(), min(uint64(n), maxRandom))
	if err != nil {
		return 0, err
	}
	var chunk [1024]byte
	done := 0
	for dst.Len() > 0 {
		k := min(uint64(len(chunk)), dst.Len())
		t.System().Random(chunk[:k])
		m, err := dst.CopyOut(chunk[:k])
		done += m
		if err != nil {
			if done > 0 {
				break
			}
			return 0, err
		}
	}
	return uintptr(done), nil
}

// sysPersonality is personality(2).
//
// Partial: only ADDR_NO_RANDOMIZE has an effect
func sysPersonality(t *task.Task, p linux.Personality) (uintptr, error) {
	old := t.Personality()
	if p != 0xffffffff {
		t.SetPersonality(p)
	}
	return uintptr(old), nil
}

// sysSetRobustList is set_robust_list(2).
func sysSetRobustList(t *task.Task, head arg.Addr, n arg.Size) (uintptr, error) {
	if n != 24 {
		return 0, linux.EINVAL
	}
	t.SetRobustList(uint64(head))
	return 0, nil
}

// sysGetRobustList is get_robust_list(2).
func sysGetRobustList(t *task.Task, tid arg.PID, head, n arg.Out[uint64]) (uintptr, error) {
	target := t
	if tid != 0 {
		if target = t.Find(int32(tid)); target == nil {
			return 0, linux.ESRCH
		}
	}
	if !mayInspect(t, target) {
		return 0, linux.EPERM
	}
	size := uint64(24)
	if err := n.Store(t.MM(), &size); err != nil {
		return 0, err
	}
	v := target.RobustList()
	return 0, head.Store(t.MM(), &v)
}

// sameIDs reports whether all ids of o are c's real ones: what ptrace(2) and
// prlimit(2) ask for of a caller without the capability.
func sameIDs(c, o *cred.Credentials) bool {
	return c.RUID == o.EUID && c.RUID == o.SUID && c.RUID == o.RUID && c.RGID == o.EGID && c.RGID == o.SGID && c.RGID == o.RGID
}

// mayInspect is Linux's ptrace_may_access with real credentials.
func mayInspect(t, target *task.Task) bool {
	if t.Group() == target.Group() {
		return true
	}
	c, o := t.Cred(), target.Cred()
	return vfs.MayTrace(c, o) && (sameIDs(c, o) && target.Dumpable() || c.HasIn(linux.CAP_SYS_PTRACE, o.UserNS))
}

// sysGetcpu is getcpu(2).
func sysGetcpu(t *task.Task, cpu, node arg.Out[uint32], _ arg.Addr) (uintptr, error) {
	n := t.CPU()
	if cpu != 0 {
		if err := cpu.Store(t.MM(), &n); err != nil {
			return 0, err
		}
	}
	if node != 0 {
		var zero uint32
		return 0, node.Store(t.MM(), &zero)
	}
	return 0, nil
}

// sysMembarrier is membarrier(2). A thread that leaves the Sentry has passed a
// full barrier, which serialises the core too, and interrupting every running
// thread of the sandbox is what the commands ask for.
//
// Partial: the RSEQ commands are EINVAL, as rseq(2) is absent
func sysMembarrier(t *task.Task, cmd linux.MembarrierCmd, flags uint32, _ arg.Count) (uintptr, error) {
	const (
		global   = linux.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
		private  = linux.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
		syncCore = linux.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
		all      = linux.MEMBARRIER_CMD_GLOBAL | linux.MEMBARRIER_CMD_GLOBAL_EXPEDITED | global |
			linux.MEMBARRIER_CMD_PRIVATE_EXPEDITED | private |
			linux.MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | syncCore | linux.MEMBARRIER_CMD_GET_REGISTRATIONS
	)
	if flags != 0 {
		return 0, linux.EINVAL
	}
	registered := &t.Group().Membarrier
	switch cmd {
	case linux.MEMBARRIER_CMD_QUERY:
		return uintptr(all), nil
	case linux.MEMBARRIER_CMD_GET_REGISTRATIONS:
		return uintptr(registered.Load()), nil
	case global, private, syncCore:
		registered.Or(uint32(cmd))
		return 0, nil
	case linux.MEMBARRIER_CMD_GLOBAL, linux.MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		t.System().Barrier(nil)
		return 0, nil
	case linux.MEMBARRIER_CMD_PRIVATE_EXPEDITED, linux.MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		// The number of a command's registration is twice its own.
		if registered.Load()&uint32(cmd<<1) == 0 {
			return 0, linux.EPERM
		}
		t.System().Barrier(t.MM())
		return 0, nil
	}
	return 0, linux.EINVAL
}

// sysSchedYield is sched_yield(2).
func sysSchedYield(t *task.Task) (uintptr, error) {
	t.Yield()
	return 0, nil
}

// sysReboot is reboot(2) of a PID namespace, as each container is one: its process 1
// ends (Linux: kernel/reboot.c, kernel/pid_namespace.c reboot_pid_ns). Who waits
// for that tells a reboot by SIGHUP from a halt by SIGINT.
//
// Partial: of the caller's PID namespace
func sysReboot(t *task.Task, magic, magic2 arg.Hex, cmd linux.RebootCmd, _ arg.Addr) (uintptr, error) {
	if !t.Cred().HasIn(linux.CAP_SYS_BOOT, t.Group().PIDs().UserNS()) {
		return 0, linux.EPERM
	}
	known := [...]uint32{linux.LINUX_REBOOT_MAGIC2, linux.LINUX_REBOOT_MAGIC2A, linux.LINUX_REBOOT_MAGIC2B, linux.LINUX_REBOOT_MAGIC2C}
	if uint32(magic) != linux.LINUX_REBOOT_MAGIC1 || !slices.Contains(known[:], uint32(magic2)) {
		return 0, linux.EINVAL
	}
	switch cmd {
	case linux.LINUX_REBOOT_CMD_RESTART, linux.LINUX_REBOOT_CMD_RESTART2:
		t.Reboot(linux.SIGHUP)
	case linux.LINUX_REBOOT_CMD_HALT, linux.LINUX_REBOOT_CMD_POWER_OFF:
		t.Reboot(linux.SIGINT)
	default:
		return 0, linux.EINVAL
	}
	return 0, nil
}
