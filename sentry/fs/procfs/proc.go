package procfs

import (
	"cmp"
	"slices"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// A proc says whose a file is: the task with an id, as long as it belongs to
// the same thread group.
type proc struct {
	// immutable
	fs     *FileSystem
	group  *task.ThreadGroup
	id     int32
	thread bool // under task/: the thread, not the process
}

// task returns the task, nil when it has gone. A zombie has not.
func (p *proc) task() *task.Task {
	t := p.fs.sys.Task(p.id)
	if t == nil || t.Group() != p.group {
		return nil
	}
	return t
}

// owner is who owns a file with mode (Linux: fs/proc/base.c task_dump_owner).
func (p *proc) owner(mode linux.FileMode) (uid, gid uint32) {
	t := p.task()
	if t == nil {
		return 0, 0
	}
	c := t.Cred()
	if mode == linux.S_IFDIR|0o555 || t.Dumpable() && t.MM() != nil {
		return c.EUID, c.EGID
	}
	if t.MM() == nil {
		return 0, c.EGID
	}
	return 0, 0
}

// mayAccess decides whether caller, with c, may look into t (Linux:
// kernel/ptrace.c ptrace_may_access with PTRACE_MODE_FSCREDS). A nil caller is
// somebody whose task is not known.
func mayAccess(caller *task.Task, c *cred.Credentials, t *task.Task) bool {
	if caller != nil && caller.Group() == t.Group() {
		return true
	}
	o := t.Cred()
	if !vfs.MayTrace(c, o) {
		return false
	}
	override := c.HasIn(linux.CAP_SYS_PTRACE, o.UserNS)
	same := c.FSUID == o.EUID && c.FSUID == o.SUID && c.FSUID == o.RUID &&
		c.FSGID == o.EGID && c.FSGID == o.SGID && c.FSGID == o.RGID
	if !same && !override {
		return false
	}
	if t.MM() != nil && !t.Dumpable() && !override {
		return false
	}
	return override || o.Permitted&^c.Effective == 0
}

// access is mayAccess for a caller.
func (p *proc) access(c *vfs.Caller) (*task.Task, error) {
	t := p.task()
	if t == nil {
		return nil, linux.ENOENT
	}
	if !mayAccess(callerTask(c), c.Cred, t) {
		return nil, linux.EACCES
	}
	return t, nil
}

// mayLook is an entry's open that asks for access.
func mayLook(o *opening) error {
	t, err := o.task()
	if err != nil {
		return err
	}
	if !mayAccess(o.caller, o.cred, t) {
		return linux.EACCES
	}
	return nil
}

// openMM is an entry's open that asks for access and keeps the address space,
// which may be nil (a zombie's).
func openMM(o *opening) error {
	if err := mayLook(o); err != nil {
		return err
	}
	if t := o.p.task(); t != nil {
		o.mm = t.MM()
	}
	return nil
}

// withMM calls fn with the address space that the file keeps, unless it is
// gone.
func (o *opening) withMM(fn func(m *mm.MemoryManager)) {
	if m := o.mm; m != nil && m.IncUsers() {
		defer m.DecUsers()
		fn(m)
	}
}

// withTaskMM calls fn with the task's address space, if it has one.
func withTaskMM(t *task.Task, fn func(m *mm.MemoryManager)) {
	if m := t.MM(); m != nil && m.IncUsers() {
		defer m.DecUsers()
		fn(m)
	}
}

// parseID reads a decimal id without sign or leading zeros.
func parseID(s string) (int32, bool) {
	if s == "" || len(s) > 10 || s[0] == '0' && s != "0" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil
}

// procDir returns the directory of a process, or of a thread under task/.
func (f *FileSystem) procDir(p *proc, parent uint64, name string) *dirInode {
	ino := inoOf(parent, name)
	entries := f.process
	if p.thread {
		entries = f.thread
	}
	return &dirInode{
		inode:  inode{fs: f, ino: ino, mode: linux.S_IFDIR | 0o555, p: p},
		parent: parent, names: f.newTable(p, ino, entries),
	}
}

// rootKey is the key of pid 0 in a listing of the root: below it are the fixed
// names.
const rootKey = 256

// rootNames is /proc itself.
type rootNames struct {
	*table
	ino uint64
}

func (r *rootNames) find(name string) (vfs.Inode, error) {
	id, ok := parseID(name)
	if !ok {
		return r.table.find(name)
	}
	t := r.fs.taskOf(id)
	if t == nil {
		return nil, linux.ENOENT
	}
	return r.fs.procDir(&proc{fs: r.fs, group: t.Group(), id: t.TID()}, r.ino, name), nil
}

// taskOf returns the thread that has a number in the instance's namespace.
func (f *FileSystem) taskOf(number int32) *task.Task {
	if number <= 0 {
		return nil
	}
	return f.sys.Task(f.pids.ToRoot(number))
}

// shown is the number that an id has in the instance's namespace.
func (f *FileSystem) shown(id int32) int32 { return f.pids.FromRoot(id) }

func (r *rootNames) each(from int64, emit func(int64, vfs.Dirent) bool) {
	if from < rootKey {
		more := true
		r.table.each(from, func(key int64, e vfs.Dirent) bool {
			more = emit(key, e)
			return more
		})
		if !more {
			return
		}
	}
	groups := r.fs.sys.In(r.fs.pids)
	if r.fs.pids.Parent() != nil {
		slices.SortFunc(groups, func(a, b *task.ThreadGroup) int { return cmp.Compare(r.fs.shown(a.ID()), r.fs.shown(b.ID())) })
	}
	for _, g := range groups {
		id := r.fs.shown(g.ID())
		if id == 0 {
			continue // it has ended
		}
		if key := rootKey + int64(id); key >= from {
			name := strconv.Itoa(int(id))
			if !emit(key, vfs.Dirent{Name: name, Ino: inoOf(r.ino, name), Type: uint8(linux.DT_DIR)}) {
				return
			}
		}
	}
}

func (r *rootNames) valid(name string, child vfs.Inode) bool {
	id, ok := parseID(name)
	if !ok {
		return true
	}
	if child == nil {
		return r.fs.taskOf(id) == nil
	}
	return child.(*dirInode).p.task() != nil
}

func (r *rootNames) directories() uint32 {
	return r.table.directories() + uint32(len(r.fs.sys.In(r.fs.pids)))
}

// taskNames is /proc/pid/task.
type taskNames struct {
	p   *proc
	ino uint64
}

func newTaskNames(_ *FileSystem, p *proc, ino uint64) names { return &taskNames{p, ino} }

func (d *taskNames) find(name string) (vfs.Inode, error) {
	id, ok := parseID(name)
	if !ok {
		return nil, linux.ENOENT
	}
	t := &proc{fs: d.p.fs, group: d.p.group, id: d.p.fs.pids.ToRoot(id), thread: true}
	if t.task() == nil {
		return nil, linux.ENOENT
	}
	return d.p.fs.procDir(t, d.ino, name), nil
}

func (d *taskNames) each(from int64, emit func(int64, vfs.Dirent) bool) {
	tasks := d.p.group.Tasks()
	if l := d.p.group.Leader(); !slices.Contains(tasks, l) {
		// The leader has exited before others: it is still listed.
		tasks = append([]*task.Task{l}, tasks...)
	}
	byID(tasks)
	for _, t := range tasks {
		id := d.p.fs.shown(t.TID())
		if key := 2 + int64(id); key >= from {
			name := strconv.Itoa(int(id))
			if !emit(key, vfs.Dirent{Name: name, Ino: inoOf(d.ino, name), Type: uint8(linux.DT_DIR)}) {
				return
			}
		}
	}
}

func (d *taskNames) valid(name string, child vfs.Inode) bool {
	if child != nil {
		return child.(*dirInode).p.task() != nil
	}
	_, err := d.find(name)
	return err != nil
}

func byID(l []*task.Task) {
	slices.SortFunc(l, func(a, b *task.Task) int { return cmp.Compare(a.TID(), b.TID()) })
}

// pageSize is the size of a page.
const pageSize = 4096

func (d *taskNames) directories() uint32 { return uint32(max(d.p.group.Count(), 1)) }
