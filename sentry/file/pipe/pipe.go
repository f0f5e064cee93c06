package pipe

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

const (
	// DefaultSlots is the capacity of a new pipe, in pages.
	DefaultSlots = 16
	// MaxSize is what F_SETPIPE_SZ grants without CAP_SYS_RESOURCE
	// (/proc/sys/fs/pipe-max-size).
	MaxSize = 1 << 20
	// maxPrivileged is what it grants anyone.
	maxPrivileged = 64 << 20
)

// A Pipe is the buffer between its ends.
type Pipe struct {
	// immutable
	fifo bool // its contents begin anew when all ends have closed

	queue wait.Queue

	mu lock.Mutex[lock.Pipe]
	// guarded by mu
	ring     ring
	size     int  // bytes in the ring
	max      int  // slots
	reserved int  // slots promised to splices under way
	draining bool // a splice holds the head
	polled   bool // somebody asked for readiness: notify of every write

	readers, writers int
	readerGen        uint64 // readers ever
	writerGen        uint64 // writers ever
}

func newPipe(fifo bool) *Pipe { return &Pipe{fifo: fifo, max: DefaultSlots} }

// fullLocked reports whether no slot is free.
func (p *Pipe) fullLocked() bool { return p.ring.n+p.reserved >= p.max }

// events of both directions, with their synonyms for poll(2).
const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

// Size is F_GETPIPE_SZ.
func (p *Pipe) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.max * pageSize
}

// SetSize is F_SETPIPE_SZ; it returns the new size.
func (p *Pipe) SetSize(n uint32, privileged bool) (int, error) {
	if n > 1<<31 {
		return 0, linux.EINVAL
	}
	slots := 1
	for slots*pageSize < int(n) {
		slots *= 2
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slots > p.max && slots*pageSize > MaxSize {
		if !privileged {
			return 0, linux.EPERM
		}
		if slots*pageSize > maxPrivileged {
			return 0, linux.ENOMEM
		}
	}
	if p.ring.n+p.reserved > slots {
		return 0, linux.EBUSY
	}
	wasFull := p.fullLocked()
	p.max = slots
	if wasFull && !p.fullLocked() {
		defer p.queue.Notify(writable)
	}
	return slots * pageSize, nil
}

// Buffered is FIONREAD: the bytes that wait to be read.
func (p *Pipe) Buffered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// read moves bytes to dst. It stops at the end of a packet.
func (p *Pipe) read(dst *usermem.Seq) (int, error) {
	p.mu.Lock()
	n, freed, err := p.readLocked(dst)
	p.mu.Unlock()
	if freed {
		p.queue.Notify(writable)
	}
	return n, err
}

// readLocked also reports whether the pipe was full and is no more.
func (p *Pipe) readLocked(dst *usermem.Seq) (done int, freed bool, err error) {
	if dst.Len() == 0 {
		return 0, false, nil
	}
	if p.ring.n == 0 || p.draining {
		if p.writers == 0 && !p.draining {
			return 0, false, nil
		}
		return 0, false, linux.EAGAIN
	}
	wasFull := p.fullLocked()
	for dst.Len() > 0 && p.ring.n > 0 {
		s := p.ring.at(0)
		n, e := dst.CopyOut(s.bytes()[:min(uint64(s.n), dst.Len())])
		if e != nil {
			// Linux takes back a page that it could not copy whole.
			if done == 0 {
				err = linux.EFAULT
			}
			break
		}
		done += n
		if s.flags&packet != 0 {
			p.dropLocked(int(s.n))
			break
		}
		p.dropLocked(n)
	}
	return done, wasFull && !p.fullLocked(), err
}

// dropLocked removes n bytes of the first slot.
func (p *Pipe) dropLocked(n int) {
	s := p.ring.at(0)
	s.off += uint16(n)
	s.n -= uint16(n)
	p.size -= n
	if s.n == 0 {
		pages.put(s.page)
		p.ring.pop()
	}
}

// write moves bytes from src as far as there is room: all or nothing for up to
// PIPE_BUF bytes.
func (p *Pipe) write(src *usermem.Seq, flags slotFlags) (int, error) {
	if src.Len() == 0 {
		return 0, nil
	}
	p.mu.Lock()
	if p.readers == 0 {
		p.mu.Unlock()
		return 0, linux.EPIPE
	}
	wasEmpty := p.ring.n == 0
	n, err := p.writeLocked(src, flags)
	notify := n > 0 && (wasEmpty || p.polled)
	p.mu.Unlock()
	if notify {
		p.queue.Notify(readable)
	}
	return n, err
}

func (p *Pipe) writeLocked(src *usermem.Seq, flags slotFlags) (done int, err error) {
	// The bytes beyond whole pages may complete the last page; whole pages
	// follow in slots of their own (Linux: fs/pipe.c pipe_write).
	if odd := int(src.Len() & (pageSize - 1)); odd != 0 && p.ring.n > 0 && flags&packet == 0 {
		s := p.ring.at(p.ring.n - 1)
		end := int(s.off) + int(s.n)
		if s.flags&canMerge != 0 && end+odd <= pageSize {
			n, e := src.CopyIn(s.page.b[end : end+odd])
			s.n += uint16(n)
			p.size += n
			if e != nil {
				if n == 0 {
					return 0, linux.EFAULT
				}
				return n, nil
			}
			done = n
		}
	}
	for src.Len() > 0 {
		if p.fullLocked() {
			if done == 0 {
				return 0, linux.EAGAIN
			}
			return done, nil
		}
		pg := pages.get()
		n, e := src.CopyIn(pg.b[:min(pageSize, src.Len())])
		if e != nil {
			pages.put(pg)
			if done == 0 {
				return 0, linux.EFAULT
			}
			return done, nil
		}
		p.pushLocked(slot{page: pg, n: uint16(n), flags: flags})
		done += n
	}
	return done, nil
}

func (p *Pipe) pushLocked(s slot) {
	p.ring.push(s)
	p.size += int(s.n)
}

// clearLocked forgets the contents.
func (p *Pipe) clearLocked() {
	for p.ring.n > 0 {
		pages.put(p.ring.at(0).page)
		p.ring.pop()
	}
	p.size = 0
}
