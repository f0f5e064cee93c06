package devpts

import (
	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// Ioctl implements vfs.Ioctler.
func (s *Slave) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	p, cmd := s.pair, linux.IoctlCmd(req)
	p.mu.Lock()
	hung := s.hungUpLocked()
	p.mu.Unlock()
	if hung {
		if cmd == linux.TIOCSPGRP {
			return 0, linux.ENOTTY
		}
		return 0, linux.EIO
	}
	if done, err := p.job.Ioctl(c, mem, cmd, arg, tty.Terminal); done {
		return 0, err
	}
	if changesTerminal(cmd) {
		if err := p.job.CheckChange(c.Job, linux.SIGTTOU); err != nil {
			return 0, err
		}
	}
	switch cmd {
	case linux.FIONREAD:
		p.mu.Lock()
		n := p.in.len()
		if p.termios.Lflag&linux.ICANON != 0 && p.termios.Lflag&linux.EXTPROC == 0 {
			n = p.in.complete()
		}
		p.mu.Unlock()
		return 0, tty.PutInt(mem, arg, int32(n))
	case linux.TCFLSH:
		return 0, p.flush(arg, (*pair).flushInputLocked, (*pair).flushOutputLocked)
	case linux.TCXONC:
		return 0, p.flowControl(arg)
	}
	return p.ioctl(c, mem, cmd, arg)
}

// changesTerminal reports whether a background process is stopped for cmd.
func changesTerminal(cmd linux.IoctlCmd) bool {
	switch cmd {
	case linux.TCSETS, linux.TCSETSW, linux.TCSETSF, linux.TCSETS2, linux.TCSETSW2, linux.TCSETSF2,
		linux.TCSETA, linux.TCSETAW, linux.TCSETAF, linux.TCFLSH, linux.TCXONC, linux.TCSBRK, linux.TCSBRKP,
		linux.TIOCSETD, linux.TIOCSBRK, linux.TIOCCBRK:
		return true
	}
	return false
}

// Ioctl implements vfs.Ioctler.
func (m *Master) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	p, cmd := m.pair, linux.IoctlCmd(req)
	if done, err := p.job.Ioctl(c, mem, cmd, arg, tty.Master); done {
		return 0, err
	}
	switch cmd {
	case linux.FIONREAD:
		p.mu.Lock()
		n := p.out.len()
		p.mu.Unlock()
		return 0, tty.PutInt(mem, arg, int32(n))
	case linux.TCFLSH:
		return 0, p.flush(arg, (*pair).flushOutputLocked, (*pair).flushInputLocked)
	case linux.TIOCGPTN:
		return 0, tty.PutInt(mem, arg, int32(p.index))
	case linux.TIOCSPTLCK, linux.TIOCPKT:
		v, err := tty.GetInt(mem, arg)
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
		if cmd == linux.TIOCSPTLCK {
			p.locked = v != 0
		} else if p.packet != (v != 0) {
			p.packet, p.status = v != 0, 0
		}
		p.unlock()
		return 0, nil
	case linux.TIOCGPTLCK, linux.TIOCGPKT:
		p.mu.Lock()
		v := p.locked
		if cmd == linux.TIOCGPKT {
			v = p.packet
		}
		p.mu.Unlock()
		return 0, putBool(mem, arg, v)
	case linux.TIOCSIG:
		sig := linux.Signal(int32(arg))
		if sig < 1 || sig > linux.NSIG {
			return 0, linux.EINVAL
		}
		p.job.SignalForeground(sig)
		return 0, nil
	case linux.TIOCGPTPEER:
		return p.openPeer(c, linux.OpenFlags(uint32(arg)))
	}
	return p.ioctl(c, mem, cmd, arg)
}

// An Installer is a vfs.Job that can give its task a descriptor.
type Installer interface {
	InstallFile(d *vfs.Description, flags linux.OpenFlags) (linux.FD, error)
}

// openPeer is TIOCGPTPEER: the slave, whatever paths lead to it.
func (p *pair) openPeer(c *vfs.Caller, flags linux.OpenFlags) (uintptr, error) {
	in, ok := c.Job.(Installer)
	if !ok {
		return 0, linux.ENOTTY
	}
	n := p.fs.slave(p.index)
	if n == nil {
		return 0, linux.EIO
	}
	f, err := p.openSlave(c, flags)
	if err != nil {
		return 0, err
	}
	d := vfs.NewDescription(c, p.fs.options.VFS.AnonPath(n, p.fs.slaveName(p.index)), f, flags)
	fd, err := in.InstallFile(d, flags)
	if err != nil {
		d.DecRef()
		return 0, err
	}
	return uintptr(fd), nil
}

// ioctl is the requests that mean the same at both ends: the terminal's.
func (p *pair) ioctl(c *vfs.Caller, mem usermem.Space, cmd linux.IoctlCmd, arg uint64) (uintptr, error) {
	switch cmd {
	case linux.TCGETS, linux.TCGETS2, linux.TCGETA:
		p.mu.Lock()
		t := p.termios
		p.mu.Unlock()
		return 0, tty.PutTermios(mem, arg, cmd, &t)
	case linux.TCSETS, linux.TCSETSW, linux.TCSETS2, linux.TCSETSW2, linux.TCSETA, linux.TCSETAW,
		linux.TCSETSF, linux.TCSETSF2, linux.TCSETAF:
		return 0, p.setTermios(mem, cmd, arg)
	case linux.TIOCGLCKTRMIOS:
		p.mu.Lock()
		t := linux.Termios2{Termios: p.termiosLock}
		p.mu.Unlock()
		return 0, tty.PutTermios(mem, arg, linux.TCGETS, &t)
	case linux.TIOCSLCKTRMIOS:
		return 0, p.lockTermios(c, mem, arg)
	case linux.TIOCGWINSZ:
		p.mu.Lock()
		w := p.winsize
		p.mu.Unlock()
		return 0, tty.PutWinsize(mem, arg, w)
	case linux.TIOCSWINSZ:
		w, err := tty.GetWinsize(mem, arg)
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
		p.resizeLocked(w)
		p.unlock()
		return 0, nil
	case linux.TCSBRK, linux.TCSBRKP, linux.TIOCSBRK, linux.TIOCCBRK:
		return 0, nil // what is written has been sent; there is no line to break
	case linux.TIOCOUTQ, linux.TIOCGETD:
		return 0, tty.PutInt(mem, arg, 0) // none waits to be sent; N_TTY
	case linux.TIOCSETD:
		return 0, setDiscipline(mem, arg)
	case linux.TIOCEXCL, linux.TIOCNXCL:
		p.mu.Lock()
		p.exclusive = cmd == linux.TIOCEXCL
		p.mu.Unlock()
		return 0, nil
	case linux.TIOCGEXCL:
		p.mu.Lock()
		v := p.exclusive
		p.mu.Unlock()
		return 0, putBool(mem, arg, v)
	case linux.TIOCGDEV:
		return 0, tty.PutInt(mem, arg, int32(p.Device()))
	case linux.TIOCGSOFTCAR, linux.TIOCSSOFTCAR:
		return 0, p.softCarrier(mem, cmd, arg)
	case linux.TIOCSTI:
		return 0, p.typeInto(c, mem, arg)
	case linux.TIOCVHANGUP:
		if !c.Cred.HasRoot(linux.CAP_SYS_ADMIN) {
			return 0, linux.EPERM
		}
		session, _ := p.job.Disown()
		p.job.SignalSession(session, linux.SIGHUP)
		p.job.SignalSession(session, linux.SIGCONT)
		p.mu.Lock()
		p.hangUpLocked()
		p.unlock()
		return 0, nil
	}
	return 0, linux.ENOTTY
}

func putBool(mem usermem.Space, arg uint64, v bool) error {
	var n int32
	if v {
		n = 1
	}
	return tty.PutInt(mem, arg, n)
}

// hardware are the flags that a pseudo-terminal has no say in (Linux:
// pty_set_termios).
func hardware(t *linux.Termios2) {
	t.Cflag &^= linux.CSIZE | linux.PARENB
	t.Cflag |= linux.CS8 | linux.CREAD
}

func (p *pair) setTermios(mem usermem.Space, cmd linux.IoctlCmd, arg uint64) error {
	p.mu.Lock()
	t := p.termios
	p.mu.Unlock()
	if err := tty.GetTermios(mem, arg, cmd, &t); err != nil {
		return err
	}
	hardware(&t)
	p.mu.Lock()
	defer p.unlock()
	switch cmd {
	case linux.TCSETSF, linux.TCSETSF2, linux.TCSETAF:
		p.flushInputLocked()
	}
	p.keepSettingsLocked(&t)
	p.setTermiosLocked(&t)
	return nil
}

// lockTermios is TIOCSLCKTRMIOS: which settings nobody changes.
func (p *pair) lockTermios(c *vfs.Caller, mem usermem.Space, arg uint64) error {
	if !c.Cred.HasRoot(linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	var t linux.Termios2
	if err := tty.GetTermios(mem, arg, linux.TCSETS, &t); err != nil {
		return err
	}
	p.mu.Lock()
	p.termiosLock = t.Termios
	p.mu.Unlock()
	return nil
}

// keepSettingsLocked has t keep of the settings in force those that are locked (Linux:
// drivers/tty/tty_ioctl.c unset_locked_termios).
func (p *pair) keepSettingsLocked(t *linux.Termios2) {
	l, old := &p.termiosLock, &p.termios
	t.Iflag = t.Iflag&^l.Iflag | old.Iflag&l.Iflag
	t.Oflag = t.Oflag&^l.Oflag | old.Oflag&l.Oflag
	t.Cflag = t.Cflag&^l.Cflag | old.Cflag&l.Cflag
	t.Lflag = t.Lflag&^l.Lflag | old.Lflag&l.Lflag
	if l.Line != 0 {
		t.Line = old.Line
	}
	for i, locked := range l.CC {
		if locked != 0 {
			t.CC[i] = old.CC[i]
		}
	}
}

func (p *pair) resizeLocked(w linux.Winsize) {
	if w != p.winsize {
		p.winsize = w
		p.signals |= 1 << linux.SIGWINCH
	}
}

// flush is TCFLSH, for the end whose input and output are given.
func (p *pair) flush(arg uint64, in, out func(*pair)) error {
	if arg > linux.TCIOFLUSH {
		return linux.EINVAL
	}
	p.mu.Lock()
	defer p.unlock()
	if arg != linux.TCOFLUSH {
		in(p)
	}
	if arg != linux.TCIFLUSH {
		out(p)
	}
	return nil
}

// flowControl is TCXONC.
func (p *pair) flowControl(arg uint64) error {
	p.mu.Lock()
	defer p.unlock()
	switch arg {
	case linux.TCOOFF:
		p.stopLocked()
		p.stoppedTC = true
	case linux.TCOON:
		p.startLocked()
	case linux.TCIOFF:
		p.sendLocked(p.termios.CC[linux.VSTOP])
	case linux.TCION:
		p.sendLocked(p.termios.CC[linux.VSTART])
	default:
		return linux.EINVAL
	}
	return nil
}

func (p *pair) sendLocked(c byte) {
	if c != linux.DISABLED_CHAR {
		p.out.put(c)
		p.wakeMaster |= readable
	}
}

func setDiscipline(mem usermem.Space, arg uint64) error {
	n, err := tty.GetInt(mem, arg)
	if err == nil && n != linux.N_TTY {
		err = linux.EINVAL
	}
	return err
}

// softCarrier gets or sets CLOCAL.
func (p *pair) softCarrier(mem usermem.Space, cmd linux.IoctlCmd, arg uint64) error {
	if cmd == linux.TIOCGSOFTCAR {
		p.mu.Lock()
		v := p.termios.Cflag&linux.CLOCAL != 0
		p.mu.Unlock()
		return putBool(mem, arg, v)
	}
	n, err := tty.GetInt(mem, arg)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.unlock()
	p.termios.Cflag &^= linux.CLOCAL
	if n != 0 {
		p.termios.Cflag |= linux.CLOCAL
	}
	return nil
}

// typeInto is TIOCSTI, for the privileged only (dev.tty.legacy_tiocsti is 0).
func (p *pair) typeInto(c *vfs.Caller, mem usermem.Space, arg uint64) error {
	if !c.Cred.HasRoot(linux.CAP_SYS_ADMIN) {
		return linux.EIO
	}
	var b [1]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return err
	}
	p.mu.Lock()
	p.receiveLocked(b[0])
	p.wakeSlave |= wait.In
	p.unlock()
	return nil
}
