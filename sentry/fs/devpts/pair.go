package devpts

import (
	"math/bits"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/file/tty"
	"cordon/sentry/ktime"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

const (
	// lineSize is the longest line in canonical mode (Linux: N_TTY_BUF_SIZE);
	// the last byte is for its end.
	lineSize = 4096
	// inputSize and outputSize bound what waits to be read by slave and master.
	inputSize  = 16 << 10
	outputSize = 32 << 10
	// slaveMajor is the major device number of slaves.
	slaveMajor = 136
)

const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

// A pair is a pseudo-terminal.
type pair struct {
	// immutable
	fs    *FileSystem
	index uint32
	job   tty.Control
	timer *ktime.Timer // VTIME

	masterQueue, slaveQueue wait.Queue

	mu lock.Mutex[lock.TTY]
	// guarded by mu
	termios     linux.Termios2
	termiosLock linux.Termios // TIOCSLCKTRMIOS
	winsize     linux.Winsize
	in          input
	out         output

	slaves     int    // open, not hung up
	everOpened bool   // a slave has been open
	hangups    uint64 // slaves opened before the last one are hung up
	masterGone bool
	locked     bool // TIOCSPTLCK
	exclusive  bool // TIOCEXCL
	stopped    bool // by VSTOP or TCOOFF: slaves do not write
	stoppedTC  bool // by TCOOFF: only TCOON starts again
	packet     bool // TIOCPKT
	status     byte // TIOCPKT_*, for the master's next read

	// guarded by mu: done by unlock
	wakeMaster, wakeSlave wait.Events
	signals               uint64 // bit n: signal n for the foreground group
}

func newPair(fs *FileSystem, index uint32) *pair {
	p := &pair{fs: fs, index: index, locked: true}
	p.termios.Termios = linux.DefaultTermios()
	p.termios.Ispeed, p.termios.Ospeed = tty.Speed(p.termios.Cflag), tty.Speed(p.termios.Cflag)
	p.job.Init(p, fs.options.Groups)
	p.timer = ktime.NewTimer(fs.options.Clock, func() { p.slaveQueue.Notify(readable) })
	return p
}

var _ tty.Opener = (*pair)(nil)

// Device implements vfs.TTY.
func (p *pair) Device() uint64 { return linux.MakeDev(slaveMajor, p.index) }

// ForegroundGroup implements vfs.TTY.
func (p *pair) ForegroundGroup() int32 { return p.job.ForegroundGroup() }

// SetForegroundGroup implements vfs.TTY.
func (p *pair) SetForegroundGroup(pgid int32) { p.job.SetForegroundGroup(pgid) }

// Session is the session whose controlling terminal it is.
func (p *pair) Session() int32 { return p.job.Session() }

// Queue implements vfs.TTY.
func (p *pair) Queue() *wait.Queue { return &p.slaveQueue }

// OpenTTY opens the slave for /dev/tty.
func (p *pair) OpenTTY(c *vfs.Caller, flags linux.OpenFlags) (vfs.File, error) {
	return p.openSlave(c, flags|linux.O_NOCTTY)
}

// unlock releases mu and does what was noted under it.
func (p *pair) unlock() {
	master, slave, signals := p.wakeMaster, p.wakeSlave, p.signals
	p.wakeMaster, p.wakeSlave, p.signals = 0, 0, 0
	p.mu.Unlock()
	for ; signals != 0; signals &= signals - 1 {
		p.job.SignalForeground(linux.Signal(bits.TrailingZeros64(signals)))
	}
	if master != 0 {
		p.masterQueue.Notify(master)
	}
	if slave != 0 {
		p.slaveQueue.Notify(slave)
	}
}

func (p *pair) openSlave(c *vfs.Caller, flags linux.OpenFlags) (vfs.File, error) {
	p.mu.Lock()
	if p.masterGone || p.locked {
		p.mu.Unlock()
		return nil, linux.EIO
	}
	if p.exclusive && (c == nil || !c.Cred.HasRoot(linux.CAP_SYS_ADMIN)) {
		p.mu.Unlock()
		return nil, linux.EBUSY
	}
	p.slaves++
	p.everOpened = true
	s := &Slave{pair: p, hangups: p.hangups}
	s.nonblock.Store(flags&linux.O_NONBLOCK != 0)
	p.unlock()
	if c != nil {
		p.job.Opened(c.Job, flags)
	}
	return s, nil
}

// Hangup implements vfs.TTY: the session's leader has ended, and its group has
// been told. As in Linux, a pseudo-terminal belongs to nobody then, but what
// was written to it stays and its open slaves go on working
// (Linux: drivers/tty/tty_jobctrl.c disassociate_ctty).
func (p *pair) Hangup() { p.job.Disown() }

// hangUpLocked makes the open slaves useless.
func (p *pair) hangUpLocked() {
	p.mu.AssertHeld()
	p.hangups++
	p.slaves = 0
	p.exclusive = false
	p.in.clear()
	p.out.clear()
	p.wakeSlave |= readable | writable | wait.Err | wait.Hup
	p.wakeMaster |= readable | writable | wait.Hup
}

// closeMaster ends the pair.
func (p *pair) closeMaster() {
	p.fs.forget(p)
	p.mu.Lock()
	p.masterGone = true
	p.hangUpLocked()
	p.unlock()
	p.timer.Stop()
	session, _ := p.job.Disown()
	p.job.SignalSession(session, linux.SIGHUP)
	p.job.SignalSession(session, linux.SIGCONT)
}

// statusLocked notes what a master in packet mode is told.
func (p *pair) statusLocked(set, clear byte) {
	if p.packet {
		p.status = p.status&^clear | set
		p.wakeMaster |= readable | wait.Pri
	}
}

// setTermiosLocked puts a new setting in force.
func (p *pair) setTermiosLocked(t *linux.Termios2) {
	old := p.termios
	p.termios = *t
	if (old.Lflag^t.Lflag)&linux.ICANON != 0 {
		p.in.changeMode(t.Lflag&linux.ICANON != 0)
		p.wakeSlave |= readable
	}
	if old.Iflag&linux.IXON != 0 && t.Iflag&linux.IXON == 0 && p.stopped && !p.stoppedTC {
		p.startLocked()
	}
	flow := func(t *linux.Termios2) bool {
		return t.Iflag&linux.IXON != 0 && t.CC[linux.VSTOP] == 'S'&0x1f && t.CC[linux.VSTART] == 'Q'&0x1f
	}
	if was, is := flow(&old), flow(t); was && !is {
		p.statusLocked(linux.TIOCPKT_NOSTOP, linux.TIOCPKT_DOSTOP)
	} else if is && !was {
		p.statusLocked(linux.TIOCPKT_DOSTOP, linux.TIOCPKT_NOSTOP)
	}
	if (old.Lflag|t.Lflag)&linux.EXTPROC != 0 && old != *t {
		p.statusLocked(linux.TIOCPKT_IOCTL, 0)
	}
	p.wakeSlave |= readable // VMIN may have changed
}

func (p *pair) stopLocked() {
	if p.stopped {
		return
	}
	p.stopped = true
	p.statusLocked(linux.TIOCPKT_STOP, linux.TIOCPKT_START)
}

func (p *pair) startLocked() {
	if !p.stopped {
		return
	}
	p.stopped, p.stoppedTC = false, false
	for _, c := range p.out.held {
		p.putOutLocked(c)
	}
	p.out.held = p.out.held[:0]
	p.statusLocked(linux.TIOCPKT_START, linux.TIOCPKT_STOP)
	p.wakeSlave |= writable
}

// flushInputLocked drops what slaves have not read.
func (p *pair) flushInputLocked() {
	p.in.clear()
	p.wakeMaster |= writable
	p.statusLocked(linux.TIOCPKT_FLUSHREAD, 0)
}

// flushOutputLocked drops what the master has not read.
func (p *pair) flushOutputLocked() {
	p.out.clear()
	p.wakeSlave |= writable
	p.statusLocked(linux.TIOCPKT_FLUSHWRITE, 0)
}
