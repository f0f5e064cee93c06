package syscalls

import (
	"bytes"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/cgroup"
	"cordon/sentry/ebpf"
	"cordon/sentry/fs/cgroupfs"
	"cordon/sentry/task"
)

// sysBpf is bpf(2).
//
// Partial: programs that guard the devices of a control group; no maps, no pinning, no links; programs for packets are attached nowhere (EINVAL)
func sysBpf(t *task.Task, cmd linux.BPFCmd, attr arg.Addr, size arg.Size) (uintptr, error) {
	if size > linux.PageSize {
		return 0, linux.E2BIG
	}
	a, err := loadVersioned[linux.BPFAttr](t.MM(), uint64(attr), uint64(size))
	if err != nil {
		return 0, err
	}
	switch cmd {
	case linux.BPF_PROG_LOAD:
		return withAttr(t, &a, loadProgram)
	case linux.BPF_PROG_ATTACH:
		return withAttr(t, &a, attachProgram)
	case linux.BPF_PROG_DETACH:
		return withAttr(t, &a, detachProgram)
	case linux.BPF_PROG_GET_FD_BY_ID:
		return withAttr(t, &a, openProgram)
	case linux.BPF_PROG_GET_NEXT_ID:
		return withAttr(t, &a, func(t *task.Task, a *linux.BPFGetID) (uintptr, error) { return nextProgram(t, attr, a) })
	case linux.BPF_OBJ_GET_INFO_BY_FD:
		return withAttr(t, &a, func(t *task.Task, a *linux.BPFInfoByFD) (uintptr, error) { return programInfo(t, attr, a) })
	case linux.BPF_PROG_QUERY:
		return withAttr(t, &a, func(t *task.Task, a *linux.BPFQuery) (uintptr, error) { return queryPrograms(t, attr, a) })
	}
	return 0, linux.EINVAL
}

// withAttr calls do with the part of the attributes that its command has. EINVAL: there are others.
func withAttr[A any](t *task.Task, all *linux.BPFAttr, do func(*task.Task, *A) (uintptr, error)) (uintptr, error) {
	var a A
	n := copy(arg.Bytes(&a), all[:])
	if slices.ContainsFunc(all[n:], func(b byte) bool { return b != 0 }) {
		return 0, linux.EINVAL
	}
	return do(t, &a)
}

// bpfCapable says whether t has one of the capabilities, or CAP_SYS_ADMIN, over the sandbox.
func bpfCapable(t *task.Task, caps ...linux.Capability) bool {
	c, over := t.Cred(), t.System().UserNS
	return c.HasIn(linux.CAP_SYS_ADMIN, over) || slices.ContainsFunc(caps, func(p linux.Capability) bool { return c.HasIn(p, over) })
}

// loadProgram is BPF_PROG_LOAD (Linux: kernel/bpf/syscall.c bpf_prog_load).
func loadProgram(t *task.Task, a *linux.BPFProgLoad) (uintptr, error) {
	const flags = linux.BPF_F_STRICT_ALIGNMENT | linux.BPF_F_ANY_ALIGNMENT | linux.BPF_F_TEST_STATE_FREQ
	switch {
	case a.Flags&^flags != 0 || !cleanObjectName(a.Name[:]):
		return 0, linux.EINVAL
	case !bpfCapable(t, linux.CAP_BPF) || a.Type != linux.BPF_PROG_TYPE_CGROUP_SKB && !bpfCapable(t, linux.CAP_NET_ADMIN):
		return 0, linux.EPERM
	case a.Count == 0 || a.Count > ebpf.MaxInsns:
		return 0, linux.E2BIG
	}
	s := ebpf.Source{Type: a.Type, Insns: make([]byte, a.Count*ebpf.InsnSize), Name: a.Name, Loaded: t.System().Clocks.Boottime.Now(), UID: t.Cred().RUID}
	if _, err := t.MM().CopyIn(a.Insns, s.Insns); err != nil {
		return 0, err
	}
	license, err := t.MM().CopyInString(a.License, maxLicense)
	if err != nil && err != error(linux.ENAMETOOLONG) {
		return 0, err
	}
	s.GPL = slices.Contains(gplLicenses(), license)
	const levels = 7 // BPF_LOG_LEVEL1, LEVEL2 and STATS
	switch {
	case a.Ifindex != 0, a.Type == linux.BPF_PROG_TYPE_CGROUP_SKB && a.ExpectedAttach > linux.BPF_CGROUP_INET_EGRESS:
		return 0, linux.EINVAL
	case (a.Log != 0) != (a.LogSize != 0) || a.Log != 0 && a.LogLevel == 0 || a.LogLevel&^levels != 0:
		return 0, linux.EINVAL
	}
	p, text, e := t.System().Programs.Load(&s)
	if err := writeLog(t, a, text); err != nil && (e == 0 || err == error(linux.EFAULT)) {
		if e == 0 {
			p.DecRef()
		}
		return 0, err
	}
	if e != 0 {
		return 0, e
	}
	return installProgram(t, p)
}

const maxLicense = 128

// gplLicenses are those that a program's owner may have it under to be one of the kernel's (Linux: license_is_gpl_compatible).
func gplLicenses() []string {
	return []string{"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
}

// cleanObjectName clears what stands behind a name's end, and says whether it is one that objects may have (Linux:
// bpf_obj_name_cpy).
func cleanObjectName(b []byte) bool {
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return false
	}
	clear(b[end:])
	return !slices.ContainsFunc(b[:end], func(c byte) bool {
		return c != '_' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	})
}

// writeLog stores what there is to say about a program. ENOSPC: not all of it.
func writeLog(t *task.Task, a *linux.BPFProgLoad, text string) error {
	if a.Log == 0 {
		return nil
	}
	b := append([]byte(text), 0)
	cut := min(len(b), int(a.LogSize))
	b[cut-1] = 0
	if _, err := t.MM().CopyOut(a.Log, b[:cut]); err != nil {
		return err
	}
	if cut < len(b) {
		return linux.ENOSPC
	}
	return nil
}

// installProgram gives t a descriptor of p, whose reference it takes over.
func installProgram(t *task.Task, p *ebpf.Program) (uintptr, error) {
	d := t.System().VFS.NewAnonFile(t.Caller(), p, "bpf-prog", linux.O_RDWR)
	return install(t, d, linux.O_CLOEXEC)
}

// attachedAs is the type of the programs that are attached for something. EINVAL: there are none.
func attachedAs(a linux.BPFAttachType) (linux.BPFProgType, error) {
	switch a {
	case linux.BPF_CGROUP_DEVICE:
		return linux.BPF_PROG_TYPE_CGROUP_DEVICE, nil
	case linux.BPF_CGROUP_INET_INGRESS, linux.BPF_CGROUP_INET_EGRESS:
		return linux.BPF_PROG_TYPE_CGROUP_SKB, nil
	}
	return 0, linux.EINVAL
}

// programOf returns the program of a type behind fd, with a reference.
func programOf(t *task.Task, fd linux.FD, kind linux.BPFProgType) (*ebpf.Program, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	p, ok := d.File().(*ebpf.Program)
	if !ok || p.Type() != kind {
		return nil, linux.EINVAL
	}
	p.IncRef()
	return p, nil
}

// groupOf returns the control group whose directory fd is.
func groupOf(t *task.Task, fd linux.FD) (*cgroup.Group, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	g := cgroupfs.GroupOf(d.Path())
	if g == nil || g.Removed() {
		return nil, linux.EBADF
	}
	return g, nil
}

// attachProgram is BPF_PROG_ATTACH.
func attachProgram(t *task.Task, a *linux.BPFProgAttach) (uintptr, error) {
	kind, err := attachedAs(a.Type)
	if err != nil {
		return 0, err
	}
	p, err := programOf(t, a.Prog, kind)
	if err != nil {
		return 0, err
	}
	defer p.DecRef()
	g, err := groupOf(t, a.Target)
	if err != nil {
		return 0, err
	}
	if kind != linux.BPF_PROG_TYPE_CGROUP_DEVICE {
		return 0, linux.EINVAL
	}
	var replace *ebpf.Program
	if a.Flags&linux.BPF_F_ALLOW_MULTI != 0 && a.Flags&linux.BPF_F_REPLACE != 0 {
		if replace, err = programOf(t, a.Replace, kind); err != nil {
			return 0, err
		}
		defer replace.DecRef()
	}
	return 0, g.AttachDevices(p, a.Flags, replace)
}

// detachProgram is BPF_PROG_DETACH. Where a group can have one program only, nobody has to say which.
func detachProgram(t *task.Task, a *linux.BPFProgAttach) (uintptr, error) {
	kind, err := attachedAs(a.Type)
	if err != nil {
		return 0, err
	}
	g, err := groupOf(t, a.Target)
	if err != nil {
		return 0, err
	}
	if kind != linux.BPF_PROG_TYPE_CGROUP_DEVICE {
		return 0, linux.ENOENT
	}
	p, err := programOf(t, a.Prog, kind)
	if err == nil {
		defer p.DecRef()
	}
	return 0, g.DetachDevices(p)
}

// openProgram is BPF_PROG_GET_FD_BY_ID.
func openProgram(t *task.Task, a *linux.BPFGetID) (uintptr, error) {
	if a.Next != 0 {
		return 0, linux.EINVAL
	}
	if !bpfCapable(t) {
		return 0, linux.EPERM
	}
	p := t.System().Programs.Get(a.ID)
	if p == nil {
		return 0, linux.ENOENT
	}
	return installProgram(t, p)
}

// nextProgram is BPF_PROG_GET_NEXT_ID.
func nextProgram(t *task.Task, attr arg.Addr, a *linux.BPFGetID) (uintptr, error) {
	if !bpfCapable(t) {
		return 0, linux.EPERM
	}
	if a.Next = t.System().Programs.Next(a.ID); a.Next == 0 {
		return 0, linux.ENOENT
	}
	return 0, arg.Out[linux.BPFGetID](attr).Store(t.MM(), a)
}

// queryPrograms is BPF_PROG_QUERY: as many numbers of programs as there is room for; ENOSPC: there are more.
func queryPrograms(t *task.Task, attr arg.Addr, a *linux.BPFQuery) (uintptr, error) {
	if !bpfCapable(t, linux.CAP_NET_ADMIN) {
		return 0, linux.EPERM
	}
	kind, err := attachedAs(a.Type)
	if err != nil || a.Flags&^linux.BPF_F_QUERY_EFFECTIVE != 0 {
		return 0, linux.EINVAL
	}
	g, err := groupOf(t, a.Target)
	if err != nil {
		return 0, err
	}
	var programs []*ebpf.Program
	var flags linux.BPFAttachFlags
	if kind == linux.BPF_PROG_TYPE_CGROUP_DEVICE {
		programs, flags = g.Devices(a.Flags&linux.BPF_F_QUERY_EFFECTIVE != 0)
	}
	room := int(a.Count)
	a.AttachFlags, a.Count = flags, uint32(len(programs))
	if err := arg.Out[linux.BPFQuery](attr).Store(t.MM(), a); err != nil {
		return 0, err
	}
	if room == 0 || a.IDs == 0 || len(programs) == 0 {
		return 0, nil
	}
	for i, p := range programs[:min(room, len(programs))] {
		id := p.ID()
		if err := arg.Out[uint32](a.IDs+uint64(i)*4).Store(t.MM(), &id); err != nil {
			return 0, err
		}
	}
	if room < len(programs) {
		return 0, linux.ENOSPC
	}
	return 0, nil
}

// programInfo is BPF_OBJ_GET_INFO_BY_FD of a program.
func programInfo(t *task.Task, attr arg.Addr, a *linux.BPFInfoByFD) (uintptr, error) {
	d, err := get(t, a.FD)
	if err != nil {
		return 0, linux.EBADFD
	}
	defer d.DecRef()
	p, ok := d.File().(*ebpf.Program)
	if !ok {
		return 0, linux.EINVAL
	}
	if a.Size > linux.PageSize {
		return 0, linux.E2BIG
	}
	was, err := loadVersioned[linux.BPFProgInfo](t.MM(), a.Info, uint64(a.Size))
	if err != nil {
		return 0, err
	}
	i := p.Info()
	i.XlatedInsns = was.XlatedInsns
	if was.XlatedLen > 0 {
		ins := p.Insns()
		if _, err := t.MM().CopyOut(was.XlatedInsns, ins[:min(int(was.XlatedLen), len(ins))]); err != nil {
			return 0, err
		}
	}
	b := arg.Bytes(&i)
	a.Size = min(a.Size, uint32(len(b)))
	if _, err := t.MM().CopyOut(a.Info, b[:a.Size]); err != nil {
		return 0, err
	}
	return 0, arg.Out[linux.BPFInfoByFD](attr).Store(t.MM(), a)
}
