package task

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// A Session is a set of process groups with at most one terminal (setsid(2)).
type Session struct {
	// immutable
	id     int32
	leader *ThreadGroup

	// guarded by System.tree
	groups int // process groups in it
	tty    vfs.TTY
}

// A ProcessGroup is a job.
type ProcessGroup struct {
	// immutable
	id      int32
	session *Session

	// guarded by System.tree
	members []*ThreadGroup
}

// ProcessGroup, Session, IsSessionLeader implement vfs.Job.
func (t *Task) ProcessGroup() int32 { return t.group.ProcessGroup() }

// Session is getsid(2).
func (t *Task) Session() int32 { return t.group.SessionID() }

// IsSessionLeader reports whether the process leads its session.
func (t *Task) IsSessionLeader() bool { return t.group.SessionID() == t.group.ID() }

// ProcessGroup is getpgid(2); 0 for a process that has been reaped.
func (g *ThreadGroup) ProcessGroup() int32 {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	if g.pgrp == nil {
		return 0
	}
	return g.pgrp.id
}

// SessionID is getsid(2); 0 for a process that has been reaped.
func (g *ThreadGroup) SessionID() int32 {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	if g.pgrp == nil {
		return 0
	}
	return g.pgrp.session.id
}

// joinTreeLocked moves g into p.
func (g *ThreadGroup) joinTreeLocked(p *ProcessGroup) {
	old := g.pgrp
	g.pgrp = p
	g.withdrawFactsTreeLocked()
	p.members = append(p.members, g)
	if old != nil {
		old.leaveTreeLocked(g)
	}
}

func (p *ProcessGroup) leaveTreeLocked(g *ThreadGroup) {
	p.members = slices.DeleteFunc(p.members, func(m *ThreadGroup) bool { return m == g })
	if len(p.members) > 0 {
		return
	}
	s := g.sys
	delete(s.groups, p.id)
	if p.session.groups--; p.session.groups == 0 {
		delete(s.sessions, p.session.id)
	}
}

func (s *System) newProcessGroupTreeLocked(id int32, in *Session) *ProcessGroup {
	p := &ProcessGroup{id: id, session: in}
	in.groups++
	s.groups[id] = p
	return p
}

// SetSID is setsid(2), but for the number that the caller sees.
func (t *Task) SetSID() (int32, linux.Errno) {
	s, g := t.sys, t.group
	s.tree.Lock()
	defer s.tree.Unlock()
	id := g.idTreeLocked()
	if s.groups[id] != nil {
		return 0, linux.EPERM
	}
	sess := &Session{id: id, leader: g}
	s.sessions[id] = sess
	g.joinTreeLocked(s.newProcessGroupTreeLocked(id, sess))
	return id, 0
}

// SetPGID is setpgid(2).
func (t *Task) SetPGID(pid, pgid int32) linux.Errno {
	s := t.sys
	s.tree.Lock()
	defer s.tree.Unlock()
	self := t.group
	pid, pgid = self.pids.toRootTreeLocked(pid), self.pids.toRootTreeLocked(pgid)
	if pid == 0 {
		pid = self.idTreeLocked()
	}
	if pgid == 0 {
		pgid = pid
	}
	if pgid < 0 {
		return linux.EINVAL
	}
	target := s.tasks[pid]
	if target == nil || target.group.idTreeLocked() != pid {
		return linux.ESRCH
	}
	g := target.group
	if g != self {
		if g.parent != self {
			return linux.ESRCH
		}
		if g.pgrp.session != self.pgrp.session {
			return linux.EPERM
		}
		if g.didExec.Load() {
			return linux.EACCES
		}
	}
	if g.pgrp.session.leader == g {
		return linux.EPERM
	}
	if pgid == g.pgrp.id {
		return 0
	}
	p := s.groups[pgid]
	if pgid != pid && (p == nil || p.session != self.pgrp.session) {
		return linux.EPERM
	}
	if p == nil {
		p = s.newProcessGroupTreeLocked(pgid, g.pgrp.session)
	}
	g.joinTreeLocked(p)
	return 0
}

// GroupOf returns the process group and the session of the process that t knows
// by the number pid.
func (t *Task) GroupOf(pid int32) (pgid, sid int32, e linux.Errno) {
	s := t.sys
	s.tree.RLock()
	defer s.tree.RUnlock()
	g := t.group
	if pid != 0 {
		target := s.tasks[g.pids.toRootTreeLocked(pid)]
		if target == nil {
			return 0, 0, linux.ESRCH
		}
		g = target.group
	}
	if g.pgrp == nil {
		return 0, 0, linux.ESRCH
	}
	return g.pgrp.id, g.pgrp.session.id, 0
}

// orphanedTreeLocked reports whether no member has a parent in another group
// of the same session (setpgid(2), "orphaned process group").
func (p *ProcessGroup) orphanedTreeLocked() bool {
	for _, m := range p.members {
		if m.zombieNow {
			continue
		}
		if q := m.parent; q != nil && q.pgrp != p && q.pgrp != nil && q.pgrp.session == p.session {
			return false
		}
	}
	return true
}

// stoppedMemberTreeLocked reports whether a member is stopped.
func (p *ProcessGroup) stoppedMemberTreeLocked() bool {
	for _, m := range p.members {
		m.mu.Lock()
		stopped := m.stop.signal != 0
		m.mu.Unlock()
		if stopped && !m.zombieNow {
			return true
		}
	}
	return false
}

// SignalGroup implements vfs.Job: the kernel sends sig to a group of the
// caller's session.
func (t *Task) SignalGroup(pgid int32, sig linux.Signal) linux.Errno {
	s := t.sys
	s.tree.RLock()
	defer s.tree.RUnlock()
	p := s.groups[pgid]
	if p == nil {
		return linux.ESRCH
	}
	for _, m := range p.members {
		m.sendTreeLocked(nil, &linux.SigInfo{Signo: sig, Code: linux.SI_KERNEL})
	}
	return 0
}

// SignalProcessGroup sends sig from the kernel to every member of pgid, if it
// exists (a terminal's signals have no calling task).
func (s *System) SignalProcessGroup(pgid int32, sig linux.Signal) {
	s.tree.RLock()
	defer s.tree.RUnlock()
	if p := s.groups[pgid]; p != nil {
		for _, m := range p.members {
			m.sendTreeLocked(nil, &linux.SigInfo{Signo: sig, Code: linux.SI_KERNEL})
		}
	}
}

// SignalBlockedOrIgnored implements vfs.Job.
func (t *Task) SignalBlockedOrIgnored(sig linux.Signal) (ignored, orphaned bool) {
	s := t.sys
	s.tree.RLock()
	orphaned = t.group.pgrp.orphanedTreeLocked()
	s.tree.RUnlock()
	t.group.mu.Lock()
	blocked := t.mask.Has(sig)
	t.group.mu.Unlock()
	return blocked || t.group.Actions().Get(sig).Handler == linux.SIG_IGN, orphaned
}

// ControllingTTY implements vfs.Job.
func (t *Task) ControllingTTY() vfs.TTY { return t.group.ControllingTTY() }

// ControllingTTY returns the session's terminal, nil if it has none.
func (g *ThreadGroup) ControllingTTY() vfs.TTY {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	if g.pgrp == nil {
		return nil
	}
	return g.pgrp.session.tty
}

// SetControllingTTY implements vfs.Job.
func (t *Task) SetControllingTTY(tty vfs.TTY) {
	t.sys.tree.Lock()
	defer t.sys.tree.Unlock()
	t.group.pgrp.session.tty = tty
}

// InProcessGroup reports whether the process, living or a zombie, is in pgid.
func (g *ThreadGroup) InProcessGroup(pgid int32) bool {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.pgrp != nil && g.pgrp.id == pgid
}

// SessionOfGroup returns the session that process group pgid is in.
func (s *System) SessionOfGroup(pgid int32) (sid int32, ok bool) {
	s.tree.RLock()
	defer s.tree.RUnlock()
	p := s.groups[pgid]
	if p == nil {
		return 0, false
	}
	return p.session.id, true
}
