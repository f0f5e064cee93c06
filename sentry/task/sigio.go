package task

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/wait"
)

// An ioTarget is whom a file's events are signalled to (fcntl(2), F_SETOWN). It
// implements vfs.SignalTarget.
type ioTarget struct {
	// immutable
	sys   *System
	owner linux.FOwnerEx
	cred  *cred.Credentials // of who set it
}

// SignalTarget returns the receiver that o names.
func (s *System) SignalTarget(from *Task, o linux.FOwnerEx) (*ioTarget, linux.Errno) {
	s.tree.RLock()
	defer s.tree.RUnlock()
	switch o.Type {
	case linux.F_OWNER_TID, linux.F_OWNER_PID:
		if s.tasks[o.PID] == nil {
			return nil, linux.ESRCH
		}
	case linux.F_OWNER_PGRP:
		if s.groups[o.PID] == nil {
			return nil, linux.ESRCH
		}
	default:
		return nil, linux.EINVAL
	}
	return &ioTarget{s, o, from.Cred()}, 0
}

// Owner implements vfs.SignalTarget.
func (o *ioTarget) Owner() linux.FOwnerEx { return o.owner }

// SendIO implements vfs.SignalTarget.
func (o *ioTarget) SendIO(sig linux.Signal, fd linux.FD, band wait.Events) {
	info := &linux.SigInfo{Signo: linux.SIGIO, Code: linux.SI_KERNEL}
	if sig != 0 {
		info = &linux.SigInfo{Signo: sig, Code: linux.POLL_IN}
		if band&wait.Out != 0 {
			info.Code = linux.POLL_OUT
		}
		info.SetBand(int64(band))
		info.SetFD(fd)
	}
	s := o.sys
	s.tree.RLock()
	defer s.tree.RUnlock()
	may := func(t *Task) bool {
		to := t.Cred()
		return o.cred.EUID == 0 || o.cred.EUID == to.SUID || o.cred.EUID == to.RUID || o.cred.RUID == to.SUID || o.cred.RUID == to.RUID
	}
	switch o.owner.Type {
	case linux.F_OWNER_PGRP:
		if p := s.groups[o.owner.PID]; p != nil {
			for _, g := range p.members {
				if may(g.leader) {
					g.sendTreeLocked(nil, info)
				}
			}
		}
	case linux.F_OWNER_TID:
		if t := s.tasks[o.owner.PID]; t != nil && may(t) {
			t.group.sendTreeLocked(t, info)
		}
	default:
		if t := s.tasks[o.owner.PID]; t != nil && may(t) {
			t.group.sendTreeLocked(nil, info)
		}
	}
}
