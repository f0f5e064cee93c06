package tty

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Groups are the process groups of the sandbox. task.System implements it.
type Groups interface {
	// SignalProcessGroup sends sig from the kernel to every member of pgid.
	SignalProcessGroup(pgid int32, sig linux.Signal)
	// SessionOfGroup returns the session of process group pgid.
	SessionOfGroup(pgid int32) (sid int32, ok bool)
}

// A Control is a terminal's place in job control.
type Control struct {
	// immutable
	self   vfs.TTY
	groups Groups

	mu lock.Mutex[lock.TTYControl]
	// guarded by mu
	session    int32 // 0: nobody's controlling terminal
	foreground int32
}

// Init makes c the control of the terminal self.
func (c *Control) Init(self vfs.TTY, groups Groups) { c.self, c.groups = self, groups }

// ForegroundGroup returns the foreground process group, 0 if there is none.
func (c *Control) ForegroundGroup() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.foreground
}

// SetForegroundGroup replaces the foreground process group. A terminal that is
// nobody's becomes that of the session which pgid leads: a first process starts
// with its terminal.
func (c *Control) SetForegroundGroup(pgid int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == 0 {
		c.session = pgid
	}
	c.foreground = pgid
}

// Session returns the session whose terminal it is, 0 if there is none.
func (c *Control) Session() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Restore sets what a checkpoint saved.
func (c *Control) Restore(session, foreground int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.foreground = session, foreground
}

// Disown ends the terminal's session and returns what it was.
func (c *Control) Disown() (session, foreground int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	session, foreground = c.session, c.foreground
	c.session, c.foreground = 0, 0
	return session, foreground
}

// SignalForeground sends sig to the foreground process group.
func (c *Control) SignalForeground(sig linux.Signal) {
	if pgid := c.ForegroundGroup(); pgid != 0 {
		c.groups.SignalProcessGroup(pgid, sig)
	}
}

// SignalSession sends sig to the process group that the session's leader
// founded.
func (c *Control) SignalSession(session int32, sig linux.Signal) {
	if session != 0 {
		c.groups.SignalProcessGroup(session, sig)
	}
}

// Controls reports whether the terminal is the controlling terminal of the
// caller's session.
func (c *Control) Controls(job vfs.Job) bool {
	return job != nil && job.ControllingTTY() == c.self && c.Session() == job.Session()
}

// Opened makes the terminal the controlling one of a session leader who has
// none and opens it without O_NOCTTY.
func (c *Control) Opened(job vfs.Job, flags linux.OpenFlags) {
	if job == nil || flags&linux.O_NOCTTY != 0 || !job.IsSessionLeader() || !flags.Readable() {
		return
	}
	if current(job) == nil && c.Session() == 0 {
		c.own(job)
	}
}

func (c *Control) own(job vfs.Job) {
	c.Restore(job.Session(), job.ProcessGroup())
	job.SetControllingTTY(c.self)
}

// CheckChange is what a background process meets that reads (sig SIGTTIN), or
// changes or writes to (SIGTTOU) its terminal (Linux: tty_check_change).
// vfs.ErrRestart: it has been sent sig, and the call is to be restarted.
func (c *Control) CheckChange(job vfs.Job, sig linux.Signal) error {
	if !c.Controls(job) {
		return nil
	}
	group := job.ProcessGroup()
	if fg := c.ForegroundGroup(); fg == 0 || fg == group {
		return nil
	}
	ignored, orphaned := job.SignalBlockedOrIgnored(sig)
	switch {
	case ignored && sig == linux.SIGTTIN:
		return linux.EIO
	case ignored:
		return nil
	case orphaned:
		return linux.EIO
	}
	job.SignalGroup(group, sig)
	return vfs.ErrRestart
}

// Side says which end of a terminal a request is made of.
type Side uint8

const (
	// Terminal is the end that programs run on.
	Terminal Side = iota
	// Master is the end of a terminal emulator.
	Master
)

// Ioctl does the requests of job control. handled is false for all others.
func (c *Control) Ioctl(caller *vfs.Caller, mem usermem.Space, req linux.IoctlCmd, arg uint64, side Side) (handled bool, err error) {
	switch req {
	case linux.TIOCSCTTY:
		return true, c.setControlling(caller, arg)
	case linux.TIOCNOTTY:
		return true, c.dropControlling(caller.Job)
	case linux.TIOCGPGRP:
		if side == Terminal && !c.Controls(caller.Job) {
			return true, linux.ENOTTY
		}
		return true, PutInt(mem, arg, seen(caller.Job, c.ForegroundGroup()))
	case linux.TIOCSPGRP:
		return true, c.changeForeground(caller.Job, mem, arg)
	case linux.TIOCGSID:
		s := c.Session()
		if s == 0 || side == Terminal && !c.Controls(caller.Job) {
			return true, linux.ENOTTY
		}
		return true, PutInt(mem, arg, seen(caller.Job, s))
	}
	return false, nil
}

// seen is the number by which a caller knows a process group or a session.
func seen(job vfs.Job, id int32) int32 {
	if job == nil {
		return id
	}
	return job.FromRootPID(id)
}

func (c *Control) setControlling(caller *vfs.Caller, arg uint64) error {
	job := caller.Job
	if job == nil {
		return linux.EPERM
	}
	if job.IsSessionLeader() && c.Controls(job) {
		return nil
	}
	if !job.IsSessionLeader() || current(job) != nil {
		return linux.EPERM
	}
	if c.Session() != 0 && (arg != 1 || !caller.Cred.HasRoot(linux.CAP_SYS_ADMIN)) {
		return linux.EPERM
	}
	c.own(job)
	return nil
}

func (c *Control) dropControlling(job vfs.Job) error {
	if !c.Controls(job) {
		return linux.ENOTTY
	}
	if !job.IsSessionLeader() {
		return nil
	}
	_, fg := c.Disown()
	job.SetControllingTTY(nil)
	if fg != 0 {
		c.groups.SignalProcessGroup(fg, linux.SIGHUP)
		c.groups.SignalProcessGroup(fg, linux.SIGCONT)
	}
	return nil
}

func (c *Control) changeForeground(job vfs.Job, mem usermem.Space, arg uint64) error {
	switch err := c.CheckChange(job, linux.SIGTTOU); err {
	case nil:
	case linux.EIO:
		return linux.ENOTTY
	default:
		return err
	}
	if !c.Controls(job) {
		return linux.ENOTTY
	}
	pgid, err := GetInt(mem, arg)
	if err != nil {
		return err
	}
	if pgid < 0 {
		return linux.EINVAL
	}
	pgid = job.ToRootPID(pgid)
	session, ok := c.groups.SessionOfGroup(pgid)
	if !ok {
		return linux.ESRCH
	}
	if session != job.Session() {
		return linux.EPERM
	}
	c.SetForegroundGroup(pgid)
	return nil
}

// PutInt stores an int at addr.
func PutInt(mem usermem.Space, addr uint64, v int32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(v))
	_, err := mem.CopyOut(addr, b[:])
	return err
}

// GetInt loads an int from addr.
func GetInt(mem usermem.Space, addr uint64) (int32, error) {
	var b [4]byte
	_, err := mem.CopyIn(addr, b[:])
	return int32(binary.LittleEndian.Uint32(b[:])), err
}
