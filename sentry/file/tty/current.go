package tty

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// An Opener is a terminal that /dev/tty can open.
type Opener interface {
	vfs.TTY
	OpenTTY(c *vfs.Caller, flags linux.OpenFlags) (vfs.File, error)
	// Session is the session that the terminal controls.
	Session() int32
}

// OpenCurrent opens the caller's controlling terminal: /dev/tty, a
// vfs.DeviceOpener.
func OpenCurrent(c *vfs.Caller, _ vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if c.Job == nil {
		return nil, linux.ENXIO
	}
	t, ok := c.Job.ControllingTTY().(Opener)
	if !ok || t.Session() != c.Job.Session() {
		return nil, linux.ENXIO
	}
	return t.OpenTTY(c, flags)
}

// current returns the caller's controlling terminal, nil if it has none or has
// lost it to a hangup.
func current(job vfs.Job) vfs.TTY {
	t := job.ControllingTTY()
	if o, ok := t.(Opener); ok && o.Session() != job.Session() {
		return nil
	}
	return t
}
