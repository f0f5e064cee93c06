package pipe

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// SpliceFrom fills the pipe with up to n bytes that read delivers, a page at a
// time, without the pipe's lock. It ends early at a short read. An error of
// read counts only if nothing came before it. EAGAIN comes from a full pipe or
// from read; Readiness tells which.
func (e *End) SpliceFrom(n int, read func(p []byte) (int, error)) (int, error) {
	p := e.pipe
	if !e.write {
		return 0, linux.EBADF
	}
	done := 0
	for done < n {
		p.mu.Lock()
		if p.readers == 0 {
			p.mu.Unlock()
			return orErr(done, linux.EPIPE)
		}
		if p.fullLocked() {
			p.mu.Unlock()
			return orErr(done, linux.EAGAIN)
		}
		p.reserved++
		p.mu.Unlock()

		pg := pages.get()
		want := min(pageSize, n-done)
		k, err := read(pg.b[:want])
		p.fillReserved(pg, k)
		done += k
		if err != nil {
			return orErr(done, err)
		}
		if k < want {
			break
		}
	}
	return done, nil
}

// fillReserved turns a reserved slot into one with n bytes of pg.
func (p *Pipe) fillReserved(pg *page, n int) {
	p.mu.Lock()
	wasFull, wasEmpty := p.fullLocked(), p.ring.n == 0
	p.reserved--
	if n > 0 && p.readers > 0 {
		p.pushLocked(slot{page: pg, n: uint16(n)})
	} else {
		pages.put(pg)
	}
	freed := wasFull && !p.fullLocked()
	filled := p.ring.n > 0 && (wasEmpty || p.polled)
	p.mu.Unlock()
	if filled {
		p.queue.Notify(readable)
	}
	if freed {
		p.queue.Notify(writable)
	}
}

// SpliceTo empties up to n bytes of the pipe into write, slot by slot, without
// the pipe's lock; other readers find nothing meanwhile. It ends early when
// write takes less than it was given. An error counts only if nothing went
// before it.
func (e *End) SpliceTo(n int, write func(p []byte) (int, error)) (int, error) {
	p := e.pipe
	if !e.read {
		return 0, linux.EBADF
	}
	p.mu.Lock()
	if p.ring.n == 0 || p.draining || n == 0 {
		empty := p.writers == 0 && !p.draining || n == 0
		p.mu.Unlock()
		if empty {
			return 0, nil
		}
		return 0, linux.EAGAIN
	}
	p.draining = true
	wasFull := p.fullLocked()
	done := 0
	var err error
	for done < n && p.ring.n > 0 {
		s := *p.ring.at(0)
		s.page.refs.Add(1)
		b := s.bytes()[:min(int(s.n), n-done)]
		p.mu.Unlock()
		var k int
		k, err = write(b)
		pages.put(s.page)
		p.mu.Lock()
		if p.ring.n > 0 && k > 0 {
			p.dropLocked(k)
		}
		done += k
		if err != nil || k < len(b) {
			break
		}
	}
	p.draining = false
	freed := wasFull && !p.fullLocked()
	left := p.ring.n > 0 || p.writers == 0
	p.mu.Unlock()
	if freed {
		p.queue.Notify(writable)
	}
	if left {
		p.queue.Notify(readable)
	}
	return orErr(done, err)
}

// Move is splice(2) from one pipe to another.
func Move(in, out *End, n int) (int, error) {
	return between(in, out, func(a, b *Pipe) int {
		done := 0
		for done < n && a.ring.n > 0 && !b.fullLocked() {
			s := *a.ring.at(0)
			take := min(int(s.n), n-done)
			moved := s
			moved.n = uint16(take)
			moved.flags &= packet
			moved.page.refs.Add(1)
			b.pushLocked(moved)
			a.dropLocked(take)
			done += take
		}
		return done
	})
}

// Tee is tee(2): it shares what is in the first pipe with the second.
func Tee(in, out *End, n int) (int, error) {
	return between(in, out, func(a, b *Pipe) int {
		done := 0
		for i := 0; done < n && i < a.ring.n && !b.fullLocked(); i++ {
			s := *a.ring.at(i)
			s.n = uint16(min(int(s.n), n-done))
			s.flags &= packet
			s.page.refs.Add(1)
			b.pushLocked(s)
			done += int(s.n)
		}
		return done
	})
}

// between runs move with both pipes locked and does what is around it.
func between(in, out *End, move func(a, b *Pipe) int) (int, error) {
	if !in.read || !out.write {
		return 0, linux.EBADF
	}
	a, b := in.pipe, out.pipe
	if a == b {
		return 0, linux.EINVAL
	}
	lock.Two(&a.mu, &b.mu)
	if b.readers == 0 {
		lock.UnlockTwo(&a.mu, &b.mu)
		return 0, linux.EPIPE
	}
	if a.ring.n == 0 || a.draining || b.fullLocked() {
		end := a.ring.n == 0 && a.writers == 0 && !a.draining
		lock.UnlockTwo(&a.mu, &b.mu)
		if end {
			return 0, nil
		}
		return 0, linux.EAGAIN
	}
	aFull, bEmpty := a.fullLocked(), b.ring.n == 0
	n := move(a, b)
	freed := aFull && !a.fullLocked()
	filled := n > 0 && (bEmpty || b.polled)
	lock.UnlockTwo(&a.mu, &b.mu)
	if freed {
		a.queue.Notify(writable)
	}
	if filled {
		b.queue.Notify(readable)
	}
	return n, nil
}

func orErr(n int, err error) (int, error) {
	if n > 0 {
		return n, nil
	}
	return 0, err
}
