package hostfd

import (
	"golang.org/x/sys/unix"

	"cordon/internal/check"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/wait"
)

// A Notifier tells the queues of host descriptors of the host's events. Its
// goroutine begins with the first descriptor.
type Notifier struct {
	// immutable
	epoll, stop int

	mu lock.Mutex[lock.HostNotifier]
	// guarded by mu
	queues  map[int32]*wait.Queue
	started bool
	done    chan struct{} // closed when the goroutine has ended
}

// NewNotifier returns a Notifier without descriptors.
func NewNotifier() (*Notifier, linux.Errno) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errno(err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, errno(err)
	}
	n := &Notifier{epoll: ep, stop: stop, queues: make(map[int32]*wait.Queue), done: make(chan struct{})}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(stop)}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, stop, &ev); err != nil {
		_ = unix.Close(ep)
		_ = unix.Close(stop)
		return nil, errno(err)
	}
	return n, 0
}

// Watch begins to tell q of the events of fd. False: the host says it is always
// ready (/dev/null). Edges suffice: a sleeper looks at the descriptor itself
// after it has queued.
func (n *Notifier) Watch(fd int, q *wait.Queue) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff,
		Fd:     int32(fd),
	}
	if unix.EpollCtl(n.epoll, unix.EPOLL_CTL_ADD, fd, &ev) != nil {
		return false
	}
	n.queues[int32(fd)] = q
	if !n.started {
		n.started = true
		go n.run()
	}
	return true
}

// Unwatch ends what Watch began; the descriptor is to be closed after it.
func (n *Notifier) Unwatch(fd int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.queues, int32(fd))
	_ = unix.EpollCtl(n.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

// Release ends the goroutine.
func (n *Notifier) Release() {
	n.mu.Lock()
	started := n.started
	n.mu.Unlock()
	one := [8]byte{1}
	if _, err := unix.Write(n.stop, one[:]); err == nil && started {
		<-n.done
	}
	_ = unix.Close(n.epoll)
	_ = unix.Close(n.stop)
}

func (n *Notifier) run() {
	defer close(n.done)
	var events [16]unix.EpollEvent
	for {
		k, err := unix.EpollWait(n.epoll, events[:], -1)
		if err == unix.EINTR {
			continue
		}
		check.NoError(err, "wait for host events")
		for _, ev := range events[:k] {
			if ev.Fd == int32(n.stop) {
				return
			}
			n.mu.Lock()
			q := n.queues[ev.Fd]
			n.mu.Unlock()
			if q != nil {
				q.Notify(toEvents(ev.Events))
			}
		}
	}
}

// toEvents adds to what the host says the names that poll(2) has for the same.
func toEvents(host uint32) wait.Events {
	ev := wait.Events(host) & (wait.In | wait.Out | wait.Pri | wait.Err | wait.Hup | wait.RdHup)
	if ev&wait.In != 0 {
		ev |= wait.RdNorm
	}
	if ev&wait.Out != 0 {
		ev |= wait.WrNorm
	}
	return ev
}
