package devpts

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Master is a terminal emulator's end of a pair.
type Master struct {
	// immutable
	pair *pair
}

var (
	_ vfs.Reader  = (*Master)(nil)
	_ vfs.Writer  = (*Master)(nil)
	_ vfs.Poller  = (*Master)(nil)
	_ vfs.Ioctler = (*Master)(nil)
)

// Release implements vfs.File.
func (m *Master) Release() { m.pair.closeMaster() }

// Index is the terminal's number: its slave is /dev/pts/Index.
func (m *Master) Index() uint32 { return m.pair.index }

// Unlock lets slaves be opened (TIOCSPTLCK).
func (m *Master) Unlock() {
	m.pair.mu.Lock()
	m.pair.locked = false
	m.pair.unlock()
}

// SetWinsize changes the window's size and tells the foreground group.
func (m *Master) SetWinsize(w linux.Winsize) {
	m.pair.mu.Lock()
	m.pair.resizeLocked(w)
	m.pair.unlock()
}

// OpenSlave opens the terminal.
func (m *Master) OpenSlave(c *vfs.Caller, flags linux.OpenFlags) (vfs.File, error) {
	return m.pair.openSlave(c, flags)
}

// TTY is the terminal as a session holds it.
func (m *Master) TTY() vfs.TTY { return m.pair }

// Read implements vfs.Reader. In packet mode each read begins with a byte that
// says what follows.
func (m *Master) Read(dst *usermem.Seq) (int, error) {
	if dst.Len() == 0 {
		return 0, nil
	}
	p := m.pair
	done := 0
	for first := true; dst.Len() > 0; first = false {
		var piece [pieceSize]byte
		b := piece[:min(pieceSize, dst.Len())]
		p.mu.Lock()
		n := 0
		switch {
		case first && p.packet && p.status != 0:
			b[0], p.status = p.status, 0
			p.unlock()
			return dst.CopyOut(b[:1])
		case p.out.len() == 0:
			closed := p.everOpened && p.slaves == 0
			p.unlock()
			switch {
			case done > 0:
				return done, nil
			case closed:
				return 0, linux.EIO
			}
			return 0, linux.EAGAIN
		case first && p.packet:
			b[0] = linux.TIOCPKT_DATA
			n = 1
		}
		n += p.out.take(b[n:])
		p.wakeSlave |= writable
		p.unlock()
		k, err := dst.CopyOut(b[:n])
		done += k
		if err != nil {
			return orErr(done, err)
		}
		if n < len(b) {
			break
		}
	}
	return done, nil
}

// Write implements vfs.Writer: it is typing.
func (m *Master) Write(src *usermem.Seq) (int, error) {
	p := m.pair
	done := 0
	for src.Len() > 0 {
		var piece [pieceSize]byte
		part := *src
		n, err := part.CopyIn(piece[:min(pieceSize, src.Len())])
		if n == 0 && err != nil {
			return orErr(done, err)
		}
		p.mu.Lock()
		k := 0
		for k < n && p.roomLocked() {
			p.receiveLocked(piece[k])
			k++
		}
		p.in.last = p.fs.options.Clock.Now()
		p.unlock()
		src.Skip(uint64(k))
		done += k
		if k < n {
			return orErr(done, linux.EAGAIN)
		}
	}
	return done, nil
}

// Readiness implements vfs.Poller.
func (m *Master) Readiness(mask wait.Events) wait.Events {
	p := m.pair
	p.mu.Lock()
	defer p.mu.Unlock()
	var ev wait.Events
	if p.out.len() > 0 {
		ev |= readable
	}
	if p.packet && p.status != 0 {
		ev |= readable | wait.Pri
	}
	if p.roomLocked() {
		ev |= writable
	}
	if p.everOpened && p.slaves == 0 {
		ev |= wait.Hup
	}
	return ev & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (m *Master) Queue() *wait.Queue { return &m.pair.masterQueue }
