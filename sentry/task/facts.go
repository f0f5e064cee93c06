package task

import (
	"slices"
	"sync/atomic"

	"cordon/platform"
)

// Facts are system calls whose answer is a number that the guest may know anyway:
// ids, its processor, that a wake-up wakes nobody, and flags of files that it has open. A platform that can (platform.Informer) answers them in the guest's address
// space, from a page that the guest can only read. Whatever changes one of them
// withdraws all, which takes effect at once, and they are published again when
// the task next goes to its guest by way of the Sentry.
//
// A traced sandbox (System.Traced) publishes none, so that a trace has every call,
// and a task's filters see each call that they do not just let pass.

// Numbers of calls on amd64.
const (
	sysGetpid    = 39
	sysFcntl     = 72
	sysFsync     = 74
	sysFdatasync = 75
	sysFutex     = 202
	sysEpollCtl  = 233
	sysGetcpu    = 309
	sysGetuid    = 102
	sysGetgid    = 104
	sysGeteuid   = 107
	sysGetegid   = 108
	sysGetppid   = 110
	sysGetpgrp   = 111
	sysGettid    = 186
)

// facts says whether a task's are published.
type facts struct{ published atomic.Bool }

// publishFacts tells the platform the answers. Task-only.
func (t *Task) publishFacts() {
	i, ok := t.ctx.(platform.Informer)
	if !ok || t.sys.Traced || t.traced() {
		t.facts.published.Store(true)
		return
	}
	// Whoever withdraws from here on is seen below.
	t.facts.published.Store(true)
	c := t.Cred()
	ns := c.UserNS
	g := t.group
	facts := []platform.Fact{
		{Call: sysGetpid, Value: uint32(t.OwnPID())},
		{Call: sysGettid, Value: uint32(t.OwnTID())},
		{Call: sysGetppid, Value: uint32(t.FromRootPID(g.ParentID()))},
		{Call: sysGetpgrp, Value: uint32(t.FromRootPID(g.ProcessGroup()))},
		{Call: sysGetuid, Value: ns.FromRootUID(c.RUID)},
		{Call: sysGeteuid, Value: ns.FromRootUID(c.EUID)},
		{Call: sysGetgid, Value: ns.FromRootGID(c.RGID)},
		{Call: sysGetegid, Value: ns.FromRootGID(c.EGID)},
		{Call: sysGetcpu, Value: t.CPU(), Kind: platform.StoreCPU},
		{Call: sysFutex, Kind: platform.WakeNobody},
	}
	if t.MM().LendFlags(t.FDs()) {
		facts = append(facts, platform.Fact{Call: sysFcntl, Kind: platform.KeepFlags}, platform.Fact{Call: sysEpollCtl, Kind: platform.RefuseWatch},
			platform.Fact{Call: sysFsync, Kind: platform.SyncMemory}, platform.Fact{Call: sysFdatasync, Kind: platform.SyncMemory})
	}
	if f := t.seccomp.Load(); f != nil {
		facts = slices.DeleteFunc(facts, func(x platform.Fact) bool { return !f.allows(uint32(x.Call)) })
	}
	i.Inform(facts)
	if !t.facts.published.Load() || t.traced() {
		i.Inform(nil)
	}
}

// withdrawFacts makes the guest ask again. It may be called for any task.
func (t *Task) withdrawFacts() {
	t.facts.published.Store(false)
	if i, ok := t.ctx.(platform.Informer); ok {
		i.Inform(nil)
	}
}

// WithdrawFacts makes the guest ask again, because what it may be told has
// changed.
func (t *Task) WithdrawFacts() { t.withdrawFacts() }

// withdrawFactsTreeLocked is withdrawFacts for all threads.
func (g *ThreadGroup) withdrawFactsTreeLocked() {
	for _, t := range g.tasks {
		t.withdrawFacts()
	}
}
