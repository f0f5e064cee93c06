package boot

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A herald is the Sentry's end of a socket to the process that tells the host's
// memory cgroup of what was killed for memory inside (runsc/sandbox/herald.c): a
// byte asks, a byte answers.
type herald struct {
	// immutable
	fd    int
	guest Bounded
	stop  chan struct{}
	done  chan struct{} // closed when watch has returned

	// atomic
	made atomic.Uint64 // events of the host

	// told is how many of the guest's kills the host knows of; watch's, then end's.
	told uint64
}

// What a herald is asked: while processes of the guest are there, and when there
// are none any more. It answers heraldDone, or that the host has seen nothing.
const (
	heraldNow  = 'm'
	heraldLast = 'e'
	heraldDone = 'y'
)

// heraldTime bounds how long an answer is waited for.
const heraldTime = 25 * time.Second

// newHerald watches a guest that has a herald at fd; nil without.
func newHerald(fd int, g Guest) *herald {
	b, ok := g.(Bounded)
	if fd < 0 || !ok {
		return nil
	}
	h := &herald{fd: fd, guest: b, stop: make(chan struct{}), done: make(chan struct{})}
	go h.watch()
	return h
}

// watch announces what is killed while the guest runs.
func (h *herald) watch() {
	defer close(h.done)
	for seen := uint64(0); ; {
		n := h.guest.AwaitOOM(seen, h.stop)
		if n == seen {
			return
		}
		seen = n
		if h.ask(heraldNow) {
			h.told = n
		}
	}
}

// end announces what the host does not know of yet, once nothing of the guest is
// left but this process, and lets the herald go. Whoever watches the cgroup learns
// of it before the container's end.
func (h *herald) end() {
	if h == nil {
		return
	}
	close(h.stop)
	<-h.done
	if oomKills(h.guest) > h.told {
		h.ask(heraldLast)
	}
	h.close()
}

// leave lets the herald go while processes of others are in the cgroup, of whom one
// could be taken.
func (h *herald) leave() {
	if h == nil {
		return
	}
	close(h.stop)
	<-h.done
	h.close()
}

func (h *herald) close() {
	unix.Shutdown(h.fd, unix.SHUT_RDWR)
	unix.Close(h.fd)
}

// unseen is how many of n kills inside the host has not counted itself.
func (h *herald) unseen(n uint64) uint64 {
	if h == nil {
		return n
	}
	return n - min(n, h.made.Load())
}

// ask has the host see an event, and reports whether it did.
func (h *herald) ask(what byte) bool {
	if n, err := unix.Write(h.fd, []byte{what}); n != 1 || err != nil {
		return false
	}
	answer := make(chan byte, 1)
	go func() {
		b := []byte{0}
		for {
			_, err := unix.Read(h.fd, b)
			if err != unix.EINTR {
				break
			}
		}
		answer <- b[0]
	}()
	select {
	case b := <-answer:
		if b != heraldDone {
			return false
		}
	case <-time.After(heraldTime):
		return false
	}
	h.made.Add(1)
	return true
}
