package task

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/vfs"
)

// coreName is kernel.core_pattern, which cannot be changed.
const coreName = "core"

// dumpCore writes a core file into the working directory (Linux: fs/coredump.c
// do_coredump). The result is what WCOREDUMP will say: as in Linux, true where
// one was allowed, even if there is no file in the end. The process ends next.
func (t *Task) dumpCore(info *linux.SigInfo) bool {
	limit := t.group.limits.Soft(linux.RLIMIT_CORE)
	if limit < linux.PageSize || !t.Dumpable() || !t.haltSiblings() {
		return false
	}
	if d := t.createCore(); d != nil {
		newCore(t, info).write(&coreWriter{t: t, d: d, limit: limit})
		d.DecRef()
	}
	return true
}

// createCore opens the file: a plain one of the caller's own that nobody else
// names or reads.
func (t *Task) createCore() *vfs.Description {
	c := t.Caller()
	d, err := vfs.Open(c, c.Cwd, coreName, vfs.OpenHow{
		Flags: linux.O_CREAT | linux.O_RDWR | linux.O_NOFOLLOW | linux.O_LARGEFILE, Mode: 0o600,
	})
	if err != nil {
		return nil
	}
	const others = 0o177 // read or executed by whom else, or executable
	a, err := d.Attr()
	if err != nil || !a.Mode.IsRegular() || a.Nlink > 1 || a.UID != c.Cred.FSUID || a.Mode&others != 0 || d.Truncate(c, 0) != nil {
		d.DecRef()
		return nil
	}
	return d
}

// haltSiblings parks the other threads for good, so that their registers can be
// read. False: another thread dumps, or something else ends the wait (SIGKILL,
// a checkpoint): there is no core file then.
func (t *Task) haltSiblings() bool {
	g := t.group
	g.mu.Lock()
	if g.exiting || g.execing != nil || g.dumping != nil {
		other := g.dumping != nil
		g.mu.Unlock()
		if other {
			t.halt() // it was about to end the dump
		}
		return false
	}
	g.dumping = t
	for _, o := range g.tasks {
		if o != t {
			o.kick(workHalt)
		}
	}
	g.mu.Unlock()
	for {
		g.mu.Lock()
		alone := g.halted >= len(g.tasks)-1
		g.mu.Unlock()
		if alone {
			return true
		}
		if t.work.Load()&(workKill|workFreeze) != 0 {
			return false
		}
		t.rest()
	}
}

// halt keeps a thread until the process ends, where another one writes a core
// file.
func (t *Task) halt() {
	g := t.group
	g.mu.Lock()
	t.work.And(^workHalt)
	t.frozenFPU = append(t.frozenFPU[:0], t.ctx.FPU()...)
	g.halted++
	g.dumping.Nudge()
	g.mu.Unlock()
	t.uninterruptible(func() bool { return false })
}

// A coreThread is a thread as a core file has it.
type coreThread struct {
	status linux.ElfPrstatus
	regs   arch.Registers
	fpu    []byte
}

// coreThreads returns t and its halted siblings.
func (t *Task) coreThreads(sig linux.Signal) []coreThread {
	s, g := t.sys, t.group
	s.tree.RLock()
	defer s.tree.RUnlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	of := func(o *Task, fpu []byte) coreThread {
		u := o.Usage()
		st := linux.ElfPrstatus{
			Signo: int32(sig), Cursig: int16(sig), Pend: o.pending.Set(), Hold: o.mask, PID: o.TID(),
			Utime: linux.TimevalFromNS(u.UserNS), Stime: linux.TimevalFromNS(u.SystemNS),
			CUtime: linux.TimevalFromNS(g.reaped.UserNS), CStime: linux.TimevalFromNS(g.reaped.SystemNS),
		}
		if g.parent != nil {
			st.PPID = g.parent.idTreeLocked()
		}
		if g.pgrp != nil {
			st.PGrp, st.SID = g.pgrp.id, g.pgrp.session.id
		}
		return coreThread{st, o.regs, fpu}
	}
	all := []coreThread{of(t, t.ctx.FPU())}
	for _, o := range g.tasks {
		if o != t {
			all = append(all, of(o, o.frozenFPU))
		}
	}
	return all
}
