package sentry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/bpf"
	"cordon/sentry/cred"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/limit"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// newProcess loads a program for a process of its own session. It takes over
// stdio.
func (ct *Container) newProcess(p *Process, stdio [3]int32) (*task.ThreadGroup, *console, error) {
	defer closePassed(p)
	fds, tty, con, err := ct.standardFiles(p, stdio)
	if err != nil {
		return nil, nil, err
	}
	if err := ct.pass(p, fds); err != nil {
		fds.DecRef()
		return nil, nil, err
	}
	root := ct.mounts.Root()
	c := ct.kernelCaller()
	id, err := ct.identity(c, p)
	if err != nil {
		fds.DecRef()
		return nil, nil, err
	}
	cwd, err := ct.workingDirectory(c, p)
	if err != nil {
		fds.DecRef()
		return nil, nil, err
	}
	spaces := ct.spaces
	fs := task.NewFSContext(root, cwd, p.Umask)
	c = &vfs.Caller{Cred: id, Root: root, Cwd: cwd}
	path, err := findProgram(c, p)
	if err != nil {
		fds.DecRef()
		fs.Drop()
		return nil, nil, err
	}
	env, err := environment(ct.kernelCaller(), id.RUID, p)
	if err != nil {
		fds.DecRef()
		fs.Drop()
		return nil, nil, err
	}
	filter, err := seccompFilter(p)
	if err != nil {
		fds.DecRef()
		fs.Drop()
		return nil, nil, err
	}
	group, err := ct.subgroup(p.Cgroup)
	if err != nil {
		fds.DecRef()
		fs.Drop()
		return nil, nil, err
	}
	g, err := ct.sys.NewProcess(&task.InitArgs{
		Seccomp: filter,
		Cred:    id, FDs: fds, FS: fs, Namespaces: &spaces, Limits: ct.limits(p), TTY: tty, Container: ct.label, OOM: p.OOMAdj, Cgroup: group,
		Exec:  task.ExecArgs{Path: path, Argv: p.Args, Envv: env},
		Setup: func(t *task.Task) { ct.attributes(t, p) },
	})
	if err != nil {
		return nil, nil, programError(p.Args[0], err)
	}
	return g, con, nil
}

// attributes gives a process that does not run yet what its specification says
// about scheduling and personality.
func (ct *Container) attributes(t *task.Task, p *Process) {
	t.SetPersonality(p.Personality)
	t.SetIOPrio(p.IOPrio)
	t.EditSched(func(s *task.Scheduling) {
		if p.Sched != nil {
			s.Policy, s.Priority, s.Nice, s.ResetOn = p.Sched.Policy, p.Sched.Priority, p.Sched.Nice, p.Sched.ResetOn
		}
		if len(p.CPUs) == 0 {
			return
		}
		var mask [task.MaxCPUs / 64]uint64
		any := false
		for _, cpu := range p.CPUs {
			if cpu >= 0 && cpu < ct.sys.CPUs() {
				mask[cpu/64] |= 1 << (cpu % 64)
				any = true
			}
		}
		if any {
			s.Affinity = mask
		}
	})
}

// seccompFilter checks the filter that p starts under.
func seccompFilter(p *Process) (*bpf.Program, error) {
	if len(p.Seccomp) == 0 {
		return nil, nil
	}
	f, ok := task.ParseFilter(p.Seccomp)
	if !ok {
		return nil, &StartError{Message: "linux.seccomp: not a program that seccomp accepts"}
	}
	return f, nil
}

// standardFiles opens descriptors 0 to 2 on the host's.
func (ct *Container) standardFiles(p *Process, stdio [3]int32) (*vfs.FDTable, vfs.TTY, *console, error) {
	fds := vfs.NewFDTable()
	names := [3]string{"stdin", "stdout", "stderr"}
	c := ct.kernelCaller()
	if p.Terminal {
		return ct.terminal(p, stdio, fds)
	}
	for i, host := range stdio {
		if host < 0 {
			continue
		}
		if err := ct.openHost(c, fds, linux.FD(i), host, names[i]); err != nil {
			fds.DecRef()
			return nil, nil, nil, err
		}
	}
	return fds, nil, nil, nil
}

// openHost gives a new process the host's descriptor under a number of its own.
func (ct *Container) openHost(c *vfs.Caller, fds *vfs.FDTable, as linux.FD, host int32, name string) error {
	in, errno := hostfd.New(ct.kernel.notifier, ct.sys, int(host), name)
	if errno != 0 {
		return &StartError{Message: name + ": " + errno.Error()}
	}
	f, err := in.Open(c, vfs.Path{}, in.Flags())
	if err != nil {
		return &StartError{Message: name + ": " + err.Error()}
	}
	d := vfs.NewDescription(c, ct.sys.VFS.AnonPath(in, "host:["+name+"]"), f, in.Flags())
	if err := fds.Replace(as, d, vfs.NROpen, 0); err != nil {
		d.DecRef()
		return &StartError{Message: name + ": " + err.Error()}
	}
	return nil
}

// identity returns the credentials that p starts with.
func (ct *Container) identity(c *vfs.Caller, p *Process) (*cred.Credentials, error) {
	uid, gid, groups := p.UID, p.GID, slices.Clone(p.Groups)
	if p.UserName != "" {
		var err error
		if uid, gid, groups, err = lookUpUser(c, p.UserName); err != nil {
			return nil, err
		}
		groups = append(groups, p.Groups...)
	}
	slices.Sort(groups)
	if err := mapped(ct.sys.UserNS, uid, gid, groups); err != nil {
		return nil, err
	}
	return &cred.Credentials{
		RUID: uid, EUID: uid, SUID: uid, FSUID: uid, RGID: gid, EGID: gid, SGID: gid, FSGID: gid,
		Groups:    slices.Compact(groups),
		Permitted: cred.CapSet(p.Permitted) & cred.AllCaps, Effective: cred.CapSet(p.Effective) & cred.AllCaps,
		Inheritable: cred.CapSet(p.Inheritable) & cred.AllCaps, Bounding: cred.CapSet(p.Bounding) & cred.AllCaps,
		Ambient: cred.CapSet(p.Ambient) & cred.AllCaps, NoNewPrivs: p.NoNewPrivs, UserNS: ct.sys.UserNS,
	}, nil
}

// mapped refuses ids that the first user namespace does not have.
func mapped(ns *cred.UserNamespace, uid, gid uint32, groups []uint32) error {
	if !ns.HasUID(uid) {
		return &StartError{Message: fmt.Sprintf("process.user.uid: the user namespace has no id %d", uid)}
	}
	for _, g := range append([]uint32{gid}, groups...) {
		if !ns.HasGID(g) {
			return &StartError{Message: fmt.Sprintf("process.user: the user namespace has no group %d", g)}
		}
	}
	return nil
}

func (ct *Container) workingDirectory(c *vfs.Caller, p *Process) (vfs.Path, error) {
	dir := p.Cwd
	if dir == "" {
		dir = "/"
	}
	cwd, err := vfs.Resolve(c, c.Root, dir, vfs.WantDir)
	if err == error(linux.ENOENT) && p.MakeCwd {
		cwd, err = ct.makePoint(dir, false)
	}
	if err != nil {
		return vfs.Path{}, &StartError{Message: "working directory " + dir + ": " + err.Error()}
	}
	return cwd, nil
}

// limits are Linux's for a first process, with what the spec sets.
func (ct *Container) limits(p *Process) *limit.Set {
	var l [linux.RLIM_NLIMITS]linux.Rlimit
	for i := range l {
		l[i] = linux.Rlimit{Cur: limit.Infinity, Max: limit.Infinity}
	}
	const processes = 31346
	l[linux.RLIMIT_STACK].Cur = 8 << 20
	l[linux.RLIMIT_CORE] = linux.Rlimit{Cur: 0, Max: limit.Infinity}
	l[linux.RLIMIT_NOFILE] = linux.Rlimit{Cur: 1024, Max: 1 << 20}
	l[linux.RLIMIT_MEMLOCK] = linux.Rlimit{Cur: 8 << 20, Max: 8 << 20}
	l[linux.RLIMIT_NPROC] = linux.Rlimit{Cur: processes, Max: processes}
	l[linux.RLIMIT_SIGPENDING] = linux.Rlimit{Cur: processes, Max: processes}
	l[linux.RLIMIT_MSGQUEUE] = linux.Rlimit{Cur: 819200, Max: 819200}
	l[linux.RLIMIT_NICE] = linux.Rlimit{}
	l[linux.RLIMIT_RTPRIO] = linux.Rlimit{}
	for r, v := range p.Limits {
		l[r] = v
	}
	return limit.NewSet(l)
}

// findProgram resolves args[0] as a shell does: by PATH unless it has a slash.
func findProgram(c *vfs.Caller, p *Process) (string, error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return "", &StartError{Kind: NotFound, Message: "exec: no program is given"}
	}
	name := cmp.Or(p.Path, p.Args[0])
	if strings.Contains(name, "/") {
		return name, checkProgram(c, name)
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	var denied error
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		full := dir + "/" + name
		err := checkProgram(c, full)
		if err == nil {
			return full, nil
		}
		var se *StartError
		if errors.As(err, &se) && se.Kind == NotExecutable && denied == nil {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &StartError{Kind: NotFound, Message: `exec: "` + name + `": executable file not found in $PATH`}
}

func checkProgram(c *vfs.Caller, path string) error {
	q, err := vfs.Resolve(c, c.Cwd, path, 0)
	if err == nil {
		if q.Dentry.IsDir() {
			err = linux.EISDIR
		} else {
			err = vfs.May(c, q, vfs.MayExec)
		}
	}
	if err != nil {
		return programError(path, err)
	}
	return nil
}

// programError names the program and classes the error for the exit code.
func programError(name string, err error) error {
	kind := NotExecutable
	if err == error(linux.ENOENT) || err == error(linux.ENOTDIR) {
		kind = NotFound
	}
	text := err.Error()
	if err == error(linux.ENOENT) {
		text = "no such file or directory"
	}
	return &StartError{Kind: kind, Message: `exec: "` + name + `": ` + text}
}
