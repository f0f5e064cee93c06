package task

import (
	"slices"

	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/cred"
	"cordon/sentry/mm"
	"cordon/sentry/vfs"
)

// ExecArgs is what execve(2) is given.
type ExecArgs struct {
	// Path is the name to load. File, if not nil, is the program itself
	// (execveat with AT_EMPTY_PATH); Path is then what AT_EXECFN shows.
	Path string
	File *vfs.Description
	// Start is where a relative Path begins; zero for the working directory.
	Start vfs.Path
	// Rel is what to look up from Start if Path is only for show.
	Rel    string
	Nofol  bool // AT_SYMLINK_NOFOLLOW
	Argv   []string
	Envv   []string
	CloseX bool // File will be closed by the exec: a script cannot be read again
}

// Image is a program ready to run: what a Loader returns.
type Image struct {
	MM    *mm.MemoryManager
	Entry uint64
	Stack uint64
	// Name is the new command name.
	Name string
	// Cred is the identity the program runs with, and Secure whether it gained
	// something by that (AT_SECURE).
	Cred   *cred.Credentials
	Secure bool
	// Readable is false for a program its user may not read: it is not
	// dumpable.
	Readable bool
}

// Exec is execve(2). On success the registers are the new program's. Task-only.
func (t *Task) Exec(a *ExecArgs) error {
	im, err := t.sys.Loader.Load(t, a)
	if err != nil {
		return err
	}
	was := t.TID()
	if !t.becomeOnlyThread() {
		im.MM.DecUsers()
		return linux.EINTR // never seen: the task is being killed
	}
	t.keepMaxRSS()
	// A program that may more than the one before it, or keeps secrets from it,
	// gets a stub that nothing has run in.
	if im.Readable && !im.Secure && sameRights(t.Cred(), im.Cred) {
		t.complete() // its thread is to forget what it was at
		im.MM.TakeOver(t.ctx, t.MM())
	}
	t.releaseMemory()
	t.unshareFiles()
	if ns := t.ns.Load(); ns != nil {
		t.ns.Store(ns.ofChild()) // the new memory shows its clocks
	}
	t.applyImage(im, a)
	g := t.group
	t.sys.tree.Lock()
	t.exitSignal = linux.SIGCHLD
	t.sys.tree.Unlock()
	g.didExec.Store(true)
	g.execs.Add(1)
	g.Membarrier.Store(0)
	actions := g.Actions().Fork()
	actions.Reset()
	g.actions.Store(actions)
	g.mu.Lock()
	g.clearTimersLocked()
	g.mu.Unlock()
	t.altStack = linux.StackT{Flags: linux.SS_DISABLE}
	t.robustList, t.clearTID = 0, 0
	t.ctx.SetFPU(arch.InitialFPU())
	if t.traced() {
		im.MM.KeepText(t.ctx)
		t.traceExec(was)
	}
	return nil
}

// sameRights says whether an exec from a to b, which are of one task, changes
// nothing that a program is allowed.
func sameRights(a, b *cred.Credentials) bool {
	ids := func(c *cred.Credentials) [8]uint32 {
		return [...]uint32{c.RUID, c.EUID, c.SUID, c.FSUID, c.RGID, c.EGID, c.SGID, c.FSGID}
	}
	caps := func(c *cred.Credentials) [5]cred.CapSet {
		return [...]cred.CapSet{c.Permitted, c.Effective, c.Inheritable, c.Bounding, c.Ambient}
	}
	return a == b || ids(a) == ids(b) && caps(a) == caps(b) && a.Securebits == b.Securebits && a.NoNewPrivs == b.NoNewPrivs && a.UserNS == b.UserNS
}

// unshareFiles gives t a descriptor table of its own without the close-on-exec
// ones.
func (t *Task) unshareFiles() {
	t.UnshareFDs()
	t.FDs().CloseOnExec()
}

// UnshareFDs gives t a descriptor table of its own (CLONE_FILES undone).
func (t *Task) UnshareFDs() {
	if old := t.FDs(); old.Shared() {
		t.fds.Store(old.Fork())
		t.withdrawFacts()
		old.DecRef()
	}
}

// applyImage makes t run im.
func (t *Task) applyImage(im *Image, a *ExecArgs) {
	t.mm.Store(im.MM)
	t.SetName(im.Name)
	t.execFn = a.Path
	old := t.Cred()
	t.SetCred(im.Cred)
	changed := old.EUID != im.Cred.EUID || old.EGID != im.Cred.EGID || im.Secure
	t.dumpable.Store(im.Readable && !changed)
	if changed {
		t.ClearParentDeath()
	}
	t.regs = arch.InitialRegisters(im.Entry, im.Stack)
}

// becomeOnlyThread ends the other threads and takes the leader's place. It
// reports false when t is itself killed meanwhile (Linux: fs/exec.c
// de_thread).
func (t *Task) becomeOnlyThread() bool {
	s, g := t.sys, t.group
	s.tree.Lock()
	g.mu.Lock()
	if g.exiting || g.execing != nil || g.dumping != nil || t.work.Load()&workKill != 0 {
		g.mu.Unlock()
		s.tree.Unlock()
		return false
	}
	if len(g.tasks) == 1 && g.leader == t {
		g.mu.Unlock()
		s.tree.Unlock()
		return true
	}
	g.execing = t
	g.exitLocked(0, t)
	g.mu.Unlock()
	s.tree.Unlock()

	t.runState = WaitSiblings
	alone := t.uninterruptible(func() bool { return g.Count() == 1 })
	t.runState = Running

	s.tree.Lock()
	defer s.tree.Unlock()
	g.mu.Lock()
	g.execing = nil
	g.mu.Unlock()
	if !alone {
		return false
	}
	if old := g.leader; old != t {
		t.takeLeadTreeLocked(old)
	}
	return true
}

// takeLeadTreeLocked makes t the leader under the leader's id.
func (t *Task) takeLeadTreeLocked(old *Task) {
	s, g := t.sys, t.group
	old.unlinkTreeLocked() // whose tracer never sees it end
	delete(s.tasks, t.TID())
	g.Cgroup().MoveTasks(-1)
	id := old.TID()
	t.tid.Store(id)
	t.withdrawFacts()
	s.tasks[id] = t
	t.exitSignal = old.exitSignal
	t.parentTask = old.parentTask
	g.mu.Lock()
	old.exitState = dead
	g.leader = t
	g.lead.Store(t)
	g.tasks = []*Task{t}
	g.mu.Unlock()
	g.countTreeLocked()
}

func without[T comparable](l []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(l), func(x T) bool { return x == v })
}
