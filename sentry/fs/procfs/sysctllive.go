package procfs

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/file/epoll"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// liveSysctls are the rows whose value is somebody's state or constant.
func (sh *shared) liveSysctls() []Sysctl {
	sys := sh.sys
	v := sys.VFS.Sysctls()
	say := func(f func() string) func(*task.Task) string { return func(*task.Task) string { return f() } }
	num := func(n int64) func(*task.Task) string {
		return func(*task.Task) string { return strconv.FormatInt(n, 10) }
	}
	return []Sysctl{
		{Path: "kernel/hostname", Mode: 0o644, Get: sh.hostName, Set: sh.setHostName},
		{Path: "kernel/domainname", Mode: 0o644, Get: sh.domainName, Set: sh.setDomainName},
		{Path: "kernel/osrelease", Get: say(func() string { return linux.Release })},
		{Path: "kernel/version", Get: say(func() string { return linux.Version })},
		{Path: "kernel/pid_max", Mode: 0o644, Get: num(task.MaxPID)},
		{Path: "kernel/threads-max", Mode: 0o644, Get: say(func() string { return strconv.Itoa(sys.MaxTasks()) })},
		{Path: "kernel/ns_last_pid", Mode: 0o444, Get: lastPID(sys)},
		{Path: "kernel/cap_last_cap", Get: num(cred.LastCap)},
		{Path: "kernel/random/boot_id", Get: say(func() string { return sh.bootID })},
		{Path: "kernel/random/uuid", Get: say(func() string {
			var id [16]byte
			sys.Random(id[:])
			return uuidText(id)
		})},
		{Path: "vm/max_map_count", Mode: 0o644, Get: num(mm.MaxMapCount)},
		{Path: "fs/file-max", Mode: 0o644, Get: say(func() string { return strconv.FormatInt(sys.VFS.MaxOpen(), 10) })},
		{Path: "fs/file-nr", Get: say(func() string {
			return fmt.Sprintf("%d\t0\t%d", sys.VFS.Descriptions(), sys.VFS.MaxOpen())
		})},
		{Path: "fs/mount-max", Mode: 0o644, Get: num(vfs.MaxMounts)},
		{Path: "fs/epoll/max_user_watches", Mode: 0o644, Get: num(epoll.MaxWatches)},
		atomicSysctl("fs/protected_symlinks", &v.ProtectedSymlinks, 0, 1),
		atomicSysctl("fs/protected_hardlinks", &v.ProtectedHardlinks, 0, 1),
		atomicSysctl("fs/protected_fifos", &v.ProtectedFIFOs, 0, 2),
		atomicSysctl("fs/protected_regular", &v.ProtectedRegular, 0, 2),
		atomicSysctl("fs/nr_open", &v.NROpen, 64, vfs.NROpen),
	}
}

// atomicSysctl is a number in [least, most] that others read where they need
// it.
func atomicSysctl(path string, v *atomic.Int32, least, most int64) Sysctl {
	return Sysctl{
		Path: path, Mode: 0o644,
		Get: func(*task.Task) string { return itoa(v.Load()) },
		Set: func(_ *task.Task, s string) linux.Errno {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 0, 32)
			if err != nil || n < least || n > most {
				return linux.EINVAL
			}
			v.Store(int32(n))
			return 0
		},
	}
}

// uts returns the names that t sees; the kernel sees the first process's.
func (sh *shared) uts(t *task.Task) *task.UTSNamespace {
	if t == nil {
		if g := sh.sys.InitGroup(); g != nil {
			t = g.Leader()
		}
	}
	if t == nil || t.Namespaces() == nil {
		return nil
	}
	return t.Namespaces().UTS
}

func (sh *shared) hostName(t *task.Task) string {
	if u := sh.uts(t); u != nil {
		host, _ := u.Names()
		return host
	}
	return ""
}

func (sh *shared) domainName(t *task.Task) string {
	if u := sh.uts(t); u != nil {
		_, domain := u.Names()
		return domain
	}
	return ""
}

func (sh *shared) setHostName(t *task.Task, s string) linux.Errno {
	return sh.setName(t, s, (*task.UTSNamespace).SetHost)
}

func (sh *shared) setDomainName(t *task.Task, s string) linux.Errno {
	return sh.setName(t, s, (*task.UTSNamespace).SetDomain)
}

// setName cuts a name to what uname(2) has room for (Linux: proc_do_uts_string).
func (sh *shared) setName(t *task.Task, s string, set func(*task.UTSNamespace, string)) linux.Errno {
	u := sh.uts(t)
	if u == nil {
		return linux.EINVAL
	}
	s, _, _ = strings.Cut(s, "\n")
	set(u, s[:min(len(s), 64)])
	return 0
}

// lastPID is the newest number in the caller's PID namespace.
func lastPID(sys *task.System) func(*task.Task) string {
	return func(t *task.Task) string {
		if t == nil {
			return itoa(sys.LastPID())
		}
		return itoa(t.Group().PIDs().LastPID())
	}
}
