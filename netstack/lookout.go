package netstack

import (
	"sync/atomic"
	"time"

	"cordon/internal/host"
	"cordon/internal/linux"
)

// A link's frames are received by its goroutine, or by somebody who sleeps and takes the lookout: he is woken by the host
// when a frame comes, and hands on what there is himself, himself included. The goroutine would be one more thread to
// wake, and its being woken as much work as the frame.
//
// Both wait for the socket, each through an epoll instance of his own. It is in both exclusively, in that of sleepers
// first: the host wakes the goroutine when nobody sleeps there (Linux: __wake_up, EPOLLEXCLUSIVE).
type lookout struct {
	// immutable
	sleepers, own int // epoll instances; own is the goroutine's
	bell          int // an eventfd among what sleepers wait for

	// atomic
	taken atomic.Bool
	bulk  atomic.Bool // much came the last time
	tends atomic.Uint64

	// of who has taken it
	events [2]linux.EpollEvent
}

// sleepersBatches is how many batches of frames a sleeper hands on before the goroutine takes over.
const sleepersBatches = 4

// tended is how long the goroutine waits for the next Tend.
const tended = time.Millisecond

// bulk is more bytes than are received in the goroutine's place: of a stream, one receives while the other copies.
const bulk = 16 << 10

// What an event is about.
const (
	lookoutFrames = iota
	lookoutBell
)

// init makes the lookout of a socket.
func (l *lookout) init(fd int) error {
	var err error
	if l.sleepers, err = host.EpollCreate(linux.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.own, err = host.EpollCreate(linux.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.bell, err = host.Eventfd(0, linux.EFD_CLOEXEC|linux.EFD_NONBLOCK); err != nil {
		return err
	}
	if err := host.SetNonblock(l.own); err != nil { // the runtime asks for that
		return err
	}
	// Nobody empties the bell: each ring is an edge.
	bell := linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLET, Data: [2]uint32{lookoutBell}}
	if err := host.EpollCtl(l.sleepers, linux.EPOLL_CTL_ADD, l.bell, &bell); err != nil {
		return err
	}
	return l.listen(fd)
}

// listen begins, or begins again, to look out.
func (l *lookout) listen(fd int) error {
	if err := waitFor(l.sleepers, fd); err != nil {
		return err
	}
	return waitFor(l.own, fd)
}

// waitFor has an epoll instance wait for frames.
func waitFor(ep, fd int) error {
	frames := linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLEXCLUSIVE, Data: [2]uint32{lookoutFrames}}
	return host.EpollCtl(ep, linux.EPOLL_CTL_ADD, fd, &frames)
}

// deaf ends it, for the time being: what cannot be received would wake sleepers without end.
func (l *lookout) deaf(fd int) {
	for _, ep := range []int{l.sleepers, l.own} {
		_ = host.EpollCtl(ep, linux.EPOLL_CTL_DEL, fd, nil) // it may be deaf already
	}
}

// ignore has the goroutine not look for frames.
func (l *lookout) ignore(fd int) {
	_ = host.EpollCtl(l.own, linux.EPOLL_CTL_DEL, fd, nil) // nor does it where frames wait
}

// pass has the goroutine look for frames.
func (l *lookout) pass(fd int) {
	l.ignore(fd)
	_ = waitFor(l.own, fd) // one who is ready is told of
}

func (l *lookout) close() {
	for _, fd := range []int{l.sleepers, l.own, l.bell} {
		if fd > 0 {
			host.Close(fd)
		}
	}
}

// Lookout returns the lookout of one of the stack's links for somebody who goes to sleep, or nil; he gives it back by Leave.
func (s *Stack) Lookout() *Lookout {
	f := s.watchable.Load()
	if f == nil || f.lookout.bulk.Load() || f.lookout.taken.Load() || !f.lookout.taken.CompareAndSwap(false, true) {
		return nil
	}
	return (*Lookout)(f)
}

// A Lookout is a link as who sleeps sees it.
type Lookout frameLink

// Wait waits for frames or for the bell, and says whether HandOn has frames to hand on. Nothing may be locked.
func (l *Lookout) Wait() bool {
	n, err := host.EpollRest(l.lookout.sleepers, &l.lookout.events)
	if err != nil {
		return false // EINTR
	}
	for _, e := range l.lookout.events[:n] {
		if e.Data[0] == lookoutFrames {
			return true
		}
	}
	return false
}

// HandOn receives frames and hands them on, which comes after each Wait that says so. It returns whether there were any.
func (l *Lookout) HandOn() bool {
	n, _ := (*frameLink)(l).drain(sleepersBatches)
	return n > 0
}

// Tend is HandOn by somebody who does not sleep but comes back all the time: until he has not for a while, the goroutine
// looks for no frames. It would be woken for each acknowledgement of what he sends, and send the next of it itself, while he
// waits for the connection.
func (l *Lookout) Tend() bool {
	l.lookout.tends.Add(1)
	return l.HandOn()
}

// Bell is the descriptor to write a number of eight bytes to that ends Wait, or the next one. It stays open, and may be
// rung for a lookout that was left.
func (l *Lookout) Bell() int { return l.lookout.bell }

// Leave gives the lookout back.
func (l *Lookout) Leave() { l.lookout.taken.Store(false) }
