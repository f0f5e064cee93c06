package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/wait"
)

// A Path is a place: a dentry seen through a mount.
type Path struct {
	Mount  *Mount
	Dentry *Dentry
}

// A Caller is on whose behalf a path is walked or a file used. It is made
// from a task per call; nothing keeps it.
type Caller struct {
	Cred *cred.Credentials
	Root Path
	Cwd  Path
	// Umask applies to created files.
	Umask linux.FileMode
	// FileSizeLimit is RLIMIT_FSIZE.
	FileSizeLimit uint64
	// FileSizeLimited says that a FileSizeLimit of 0 is meant.
	FileSizeLimited bool
	// FileSizeHit is set when RLIMIT_FSIZE refused something (EFBIG): the
	// system call raises SIGXFSZ.
	FileSizeHit bool
	// Job is the caller's place in job control, nil for the kernel itself.
	Job Job
}

// A Job is what a terminal and a few other files need to know of the calling
// task. task.Task implements it.
type Job interface {
	// IDs, as the first PID namespace counts. FromRootPID and ToRootPID are the
	// numbers that the caller knows them by, 0 for one that it does not, and the
	// way back.
	FromRootPID(id int32) int32
	ToRootPID(number int32) int32
	PID() int32
	ProcessGroup() int32
	Session() int32
	IsSessionLeader() bool

	// SignalGroup sends sig to process group pgid of the session (or reports
	// ESRCH).
	SignalGroup(pgid int32, sig linux.Signal) linux.Errno
	// SignalBlockedOrIgnored reports whether the caller would not be stopped
	// by sig, and whether its group is orphaned.
	SignalBlockedOrIgnored(sig linux.Signal) (ignored, orphaned bool)
	// MayUseDevice says whether the caller's control group lets it use a device of
	// kind (S_IFCHR or S_IFBLK) in a way of linux.BPF_DEVCG_ACC_*.
	MayUseDevice(kind linux.FileMode, dev uint64, access uint32) bool
	// ControllingTTY and SetControllingTTY get and set the session's terminal.
	ControllingTTY() TTY
	SetControllingTTY(t TTY)
}

// A TTY is a terminal as a session holds it. devpts implements it.
type TTY interface {
	// Device is its device number (for /proc/pid/stat).
	Device() uint64
	// ForegroundGroup and SetForegroundGroup are TIOCGPGRP and TIOCSPGRP.
	ForegroundGroup() int32
	SetForegroundGroup(pgid int32)
	// Hangup is called when the session leader exits.
	Hangup()
	// Queue is notified when input arrives.
	Queue() *wait.Queue
}
