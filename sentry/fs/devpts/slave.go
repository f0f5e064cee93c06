package devpts

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// pieceSize is how many bytes are moved between guest memory and a terminal at
// once.
const pieceSize = 512

// A Slave is an open terminal.
type Slave struct {
	// immutable
	pair    *pair
	hangups uint64 // of the pair, when it was opened

	// atomic
	nonblock atomic.Bool
	// emptyAt is when a read with VMIN 0 and VTIME gives up, 0 without one.
	emptyAt atomic.Int64
}

var (
	_ vfs.CallerReader = (*Slave)(nil)
	_ vfs.CallerWriter = (*Slave)(nil)
	_ vfs.Poller       = (*Slave)(nil)
	_ vfs.Ioctler      = (*Slave)(nil)
	_ vfs.FlagSetter   = (*Slave)(nil)
)

// hungUpLocked reports whether s is of no use any more.
func (s *Slave) hungUpLocked() bool { return s.hangups != s.pair.hangups }

// Release implements vfs.File.
func (s *Slave) Release() {
	p := s.pair
	p.mu.Lock()
	if !s.hungUpLocked() {
		if p.slaves--; p.slaves == 0 {
			p.exclusive = false
			p.wakeMaster |= readable | writable | wait.Hup
		}
	}
	p.unlock()
}

// SetFlags implements vfs.FlagSetter.
func (s *Slave) SetFlags(flags linux.OpenFlags) error {
	s.nonblock.Store(flags&linux.O_NONBLOCK != 0)
	return nil
}

// ReadAs implements vfs.CallerReader: a line at most, in canonical mode.
func (s *Slave) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	p := s.pair
	p.mu.Lock()
	hung := s.hungUpLocked()
	p.mu.Unlock()
	if hung {
		return 0, nil
	}
	if err := p.job.CheckChange(c.Job, linux.SIGTTIN); err != nil {
		return 0, err
	}
	if dst.Len() == 0 {
		return 0, nil
	}
	done := 0
	for first := true; dst.Len() > 0; first = false {
		var piece [pieceSize]byte
		want := int(min(pieceSize, dst.Len()))
		p.mu.Lock()
		if first {
			if ok, err := s.mayReadLocked(dst.Len()); !ok {
				p.unlock()
				return 0, err
			}
		}
		n, ended := s.takeLocked(piece[:want])
		p.unlock()
		if n > 0 {
			k, err := dst.CopyOut(piece[:n])
			done += k
			if err != nil {
				if done == 0 {
					return 0, err
				}
				break
			}
		}
		if ended || n < want {
			break
		}
	}
	return done, nil
}

// mayReadLocked reports whether a read of up to want bytes has something to
// return. If not, its result is 0 and err.
func (s *Slave) mayReadLocked(want uint64) (ok bool, err error) {
	p := s.pair
	if p.termios.Lflag&linux.ICANON != 0 && p.termios.Lflag&linux.EXTPROC == 0 {
		if p.in.lines == 0 {
			return false, s.emptyLocked()
		}
		return true, nil
	}
	have := p.in.len()
	least := int(min(uint64(p.termios.CC[linux.VMIN]), want))
	tenths := int64(p.termios.CC[linux.VTIME])
	switch {
	case have > 0 && (have >= least || s.nonblock.Load()):
		s.emptyAt.Store(0)
		return true, nil
	case have > 0 && tenths > 0: // the time between two bytes
		if s.fsNow() >= p.in.lastAt(tenths) {
			return true, nil
		}
		p.timer.SetDeadline(p.in.lastAt(tenths))
		return false, linux.EAGAIN
	case have > 0 || least > 0 || s.nonblock.Load():
		return false, s.emptyLocked()
	case tenths == 0:
		return false, s.emptyOr(nil)
	}
	return false, s.emptyOr(s.giveUpLocked(tenths))
}

// emptyLocked is what a read without input gets.
func (s *Slave) emptyLocked() error { return s.emptyOr(linux.EAGAIN) }

func (s *Slave) emptyOr(err error) error {
	if s.hungUpLocked() {
		return nil
	}
	return err
}

// staleNS is after how long the time of a read that went away is forgotten.
const staleNS = 1_000_000_000

// giveUpLocked makes a read with VMIN 0 wait for VTIME tenths of a second: nil
// when they are over.
func (s *Slave) giveUpLocked(tenths int64) error {
	now, at := s.fsNow(), s.emptyAt.Load()
	if at == 0 || now >= at+staleNS {
		at = now + tenths*tenthNS
		s.emptyAt.Store(at)
	}
	if now >= at {
		s.emptyAt.Store(0)
		return nil
	}
	s.pair.timer.SetDeadline(at)
	return linux.EAGAIN
}

func (s *Slave) fsNow() int64 { return s.pair.fs.options.Clock.Now() }

// takeLocked moves input to b.
func (s *Slave) takeLocked(b []byte) (n int, ended bool) {
	p := s.pair
	hadRoom := p.roomLocked()
	if p.termios.Lflag&linux.ICANON != 0 && p.termios.Lflag&linux.EXTPROC == 0 {
		if p.in.lines == 0 {
			return 0, true
		}
		n, ended = p.in.takeLine(b)
	} else {
		n = p.in.takeBytes(b)
	}
	if !hadRoom && p.roomLocked() {
		p.wakeMaster |= writable
	}
	return n, ended
}

// WriteAs implements vfs.CallerWriter.
func (s *Slave) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	p := s.pair
	p.mu.Lock()
	hung, tostop := s.hungUpLocked(), p.termios.Lflag&linux.TOSTOP != 0
	p.mu.Unlock()
	if hung {
		return 0, linux.EIO
	}
	if tostop {
		if err := p.job.CheckChange(c.Job, linux.SIGTTOU); err != nil {
			return 0, err
		}
	}
	done := 0
	for src.Len() > 0 {
		var piece [pieceSize]byte
		part := *src
		n, err := part.CopyIn(piece[:min(pieceSize, src.Len())])
		if n == 0 && err != nil {
			return orErr(done, err)
		}
		p.mu.Lock()
		if s.hungUpLocked() {
			p.unlock()
			return orErr(done, linux.EIO)
		}
		k := 0
		for k < n && !p.stopped && p.out.room() > maxExpansion {
			p.emitLocked(piece[k])
			k++
		}
		p.unlock()
		src.Skip(uint64(k))
		done += k
		if k < n {
			return orErr(done, linux.EAGAIN)
		}
	}
	return done, nil
}

func orErr(n int, err error) (int, error) {
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Readiness implements vfs.Poller.
func (s *Slave) Readiness(mask wait.Events) wait.Events {
	p := s.pair
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.hungUpLocked() {
		return (readable|writable)&mask | wait.Err | wait.Hup
	}
	var ev wait.Events
	if p.inputReadyLocked() {
		ev |= readable
	}
	if !p.stopped && p.out.room() > maxExpansion {
		ev |= writable
	}
	return ev & mask
}

// inputReadyLocked is poll(2)'s idea of input: VMIN counts unless there is a
// VTIME.
func (p *pair) inputReadyLocked() bool {
	if p.termios.Lflag&linux.ICANON != 0 && p.termios.Lflag&linux.EXTPROC == 0 {
		return p.in.lines > 0
	}
	least := 1
	if p.termios.CC[linux.VTIME] == 0 {
		least = max(1, int(p.termios.CC[linux.VMIN]))
	}
	return p.in.len() >= least
}

// Queue implements vfs.Poller.
func (s *Slave) Queue() *wait.Queue { return &s.pair.slaveQueue }
