package procfs

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/ipc"
)

// sysvipcEntries is the table of /proc/sysvipc (Linux: ipc/util.c sysvipc_proc_fops).
func (sh *shared) sysvipcEntries() []entry {
	file := func(name, head string, lines func(o *opening, v *sysvView) []byte) entry {
		return entry{name: name, mode: regular | 0o444, text: func(o *opening) ([]byte, error) {
			b := []byte(head)
			if ns := sh.ipcOf(o.caller); o.caller != nil && ns != nil {
				b = append(b, lines(o, &sysvView{ns, o.caller.IPCCaller(), o.cred.UserNS})...)
			}
			return b, nil
		}}
	}
	return []entry{
		file("msg", "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n", sysvQueues),
		file("sem", "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n", sysvSets),
		file("shm", "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n", sysvSegments),
	}
}

// A sysvView is who looks at which namespace.
type sysvView struct {
	ns   *ipc.Namespace
	c    *ipc.Caller
	user *cred.UserNamespace
}

// ids are the four of an object.
func (v *sysvView) ids(p *linux.IPCPerm) []byte {
	return fmt.Appendf(nil, "%5d %5d %5d %5d", v.user.FromRootUID(p.UID), v.user.FromRootGID(p.GID), v.user.FromRootUID(p.CUID), v.user.FromRootGID(p.CGID))
}

// pid is a process of the sandbox as the reader counts; those of the host are
// nobody's.
func (v *sysvView) pid(o *opening, id int32) int32 {
	if v.ns.Host() != nil {
		return 0
	}
	return o.caller.FromRootPID(id)
}

func sysvQueues(o *opening, v *sysvView) (b []byte) {
	for _, q := range v.ns.Queues(v.c) {
		d := &q.Stat
		b = fmt.Appendf(b, "%10d %10d  %4o  %10d %10d %5d %5d %s %10d %10d %10d\n", d.Perm.Key, q.ID, d.Perm.Mode, d.Cbytes, d.Qnum,
			v.pid(o, d.LSPID), v.pid(o, d.LRPID), v.ids(&d.Perm), d.Stime, d.Rtime, d.Ctime)
	}
	return b
}

func sysvSets(_ *opening, v *sysvView) (b []byte) {
	for _, s := range v.ns.Sets(v.c) {
		d := &s.Stat
		b = fmt.Appendf(b, "%10d %10d  %4o %10d %s %10d %10d\n", d.Perm.Key, s.ID, d.Perm.Mode, d.Nsems, v.ids(&d.Perm), d.Otime, d.Ctime)
	}
	return b
}

func sysvSegments(o *opening, v *sysvView) (b []byte) {
	for _, s := range v.ns.Segments(v.c) {
		d := &s.Stat
		b = fmt.Appendf(b, "%10d %10d  %4o %21d %5d %5d  %5d %s %10d %10d %10d %21d %21d\n", d.Perm.Key, s.ID, d.Perm.Mode, d.Segsz,
			v.pid(o, d.CPID), v.pid(o, d.LPID), d.Nattch, v.ids(&d.Perm), d.Atime, d.Dtime, d.Ctime, s.Resident, 0)
	}
	return b
}
