package hostfd

import (
	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Terminal is a host terminal. The host has the line discipline; job control
// is the sandbox's own, since the host knows none of its processes.
type Terminal struct{ File }

var (
	_ vfs.CallerReader = (*Terminal)(nil)
	_ vfs.CallerWriter = (*Terminal)(nil)
	_ tty.Opener       = (*Inode)(nil)
)

// Device implements vfs.TTY.
func (i *Inode) Device() uint64 {
	var st unix.Stat_t
	if unix.Fstat(i.fd, &st) != nil {
		return 0
	}
	return st.Rdev
}

// Session implements tty.Opener.
func (i *Inode) Session() int32 { return i.job.Session() }

// OpenTTY implements tty.Opener.
func (i *Inode) OpenTTY(c *vfs.Caller, flags linux.OpenFlags) (vfs.File, error) {
	return i.Open(c, vfs.Path{}, flags|linux.O_NOCTTY)
}

// ForegroundGroup implements vfs.TTY.
func (i *Inode) ForegroundGroup() int32 { return i.job.ForegroundGroup() }

// SetForegroundGroup implements vfs.TTY.
func (i *Inode) SetForegroundGroup(pgid int32) { i.job.SetForegroundGroup(pgid) }

// Hangup implements vfs.TTY: the session ends, the host's terminal stays.
func (i *Inode) Hangup() { i.job.Disown() }

// Queue implements vfs.TTY.
func (i *Inode) Queue() *wait.Queue { return &i.queue }

// Signal sends sig to the foreground process group: what the host's terminal
// sent to whoever started the sandbox.
func (i *Inode) Signal(sig linux.Signal) { i.job.SignalForeground(sig) }

// ReadAs implements vfs.CallerReader.
func (f *Terminal) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	if err := f.inode.job.CheckChange(c.Job, linux.SIGTTIN); err != nil {
		return 0, err
	}
	return f.Read(dst)
}

// WriteAs implements vfs.CallerWriter.
func (f *Terminal) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	if job := &f.inode.job; c.Job != nil && job.ForegroundGroup() != c.Job.ProcessGroup() {
		t, err := unix.IoctlGetTermios(f.inode.fd, unix.TCGETS)
		if err == nil && t.Lflag&unix.TOSTOP != 0 {
			if err := job.CheckChange(c.Job, linux.SIGTTOU); err != nil {
				return 0, err
			}
		}
	}
	return f.Write(src)
}

// Ioctl implements vfs.Ioctler. Only the requests below reach the host.
func (f *Terminal) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	i, cmd := f.inode, linux.IoctlCmd(req)
	if done, err := i.job.Ioctl(c, mem, cmd, arg, tty.Terminal); done {
		return 0, err
	}
	switch cmd {
	case linux.TCGETS, linux.TCGETS2, linux.TCGETA:
		t, err := i.termios()
		if err != nil {
			return 0, err
		}
		return 0, tty.PutTermios(mem, arg, cmd, t)
	case linux.TCSETS, linux.TCSETSW, linux.TCSETSF, linux.TCSETS2, linux.TCSETSW2, linux.TCSETSF2,
		linux.TCSETA, linux.TCSETAW, linux.TCSETAF:
		if err := i.job.CheckChange(c.Job, linux.SIGTTOU); err != nil {
			return 0, err
		}
		return 0, i.setTermios(mem, arg, cmd)
	case linux.TIOCGWINSZ:
		w, err := unix.IoctlGetWinsize(i.fd, unix.TIOCGWINSZ)
		if err != nil {
			return 0, errno(err)
		}
		return 0, tty.PutWinsize(mem, arg, linux.Winsize{Row: w.Row, Col: w.Col, Xpixel: w.Xpixel, Ypixel: w.Ypixel})
	case linux.TIOCSWINSZ:
		w, err := tty.GetWinsize(mem, arg)
		if err != nil {
			return 0, err
		}
		host := unix.Winsize{Row: w.Row, Col: w.Col, Xpixel: w.Xpixel, Ypixel: w.Ypixel}
		return 0, hostResult(unix.IoctlSetWinsize(i.fd, unix.TIOCSWINSZ, &host))
	case linux.FIONREAD, linux.TIOCOUTQ, linux.TIOCGETD:
		n, err := unix.IoctlGetInt(i.fd, uint(cmd))
		if err != nil {
			return 0, errno(err)
		}
		return 0, tty.PutInt(mem, arg, int32(n))
	case linux.TCFLSH, linux.TCXONC, linux.TCSBRK, linux.TCSBRKP:
		if err := i.job.CheckChange(c.Job, linux.SIGTTOU); err != nil {
			return 0, err
		}
		return 0, hostResult(unix.IoctlSetInt(i.fd, uint(cmd), int(int32(arg))))
	}
	return 0, linux.ENOTTY
}

func hostResult(err error) error {
	if err != nil {
		return errno(err)
	}
	return nil
}

func (i *Inode) termios() (*linux.Termios2, error) {
	h, err := unix.IoctlGetTermios(i.fd, unix.TCGETS2)
	if err != nil {
		return nil, errno(err)
	}
	t := &linux.Termios2{Ispeed: h.Ispeed, Ospeed: h.Ospeed}
	t.Iflag, t.Oflag = linux.Iflag(h.Iflag), linux.Oflag(h.Oflag)
	t.Cflag, t.Lflag = linux.Cflag(h.Cflag), linux.Lflag(h.Lflag)
	t.Line = h.Line
	copy(t.CC[:], h.Cc[:])
	return t, nil
}

func (i *Inode) setTermios(mem usermem.Space, arg uint64, cmd linux.IoctlCmd) error {
	t, err := i.termios()
	if err != nil {
		return err
	}
	if err := tty.GetTermios(mem, arg, cmd, t); err != nil {
		return err
	}
	h := unix.Termios{
		Iflag: uint32(t.Iflag), Oflag: uint32(t.Oflag), Cflag: uint32(t.Cflag), Lflag: uint32(t.Lflag),
		Line: t.Line, Ispeed: t.Ispeed, Ospeed: t.Ospeed,
	}
	copy(h.Cc[:], t.CC[:])
	req := uint(unix.TCSETS2)
	switch cmd {
	case linux.TCSETSW, linux.TCSETSW2, linux.TCSETAW:
		req = unix.TCSETSW2
	case linux.TCSETSF, linux.TCSETSF2, linux.TCSETAF:
		req = unix.TCSETSF2
	}
	return hostResult(unix.IoctlSetTermios(i.fd, req, &h))
}
