package server

import (
	"runtime"
	"sync"
	"sync/atomic"

	"cordon/gofer/donate"
	"cordon/gofer/p9"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// maxWorkers bounds the calls in progress on the side channel.
const maxWorkers = 32

// maxIdle is how many workers stay to wait for the next call: one to take it, one to be
// there while it does.
const maxIdle = 2

// Procs is how many of Go's processors a gofer should have: each worker that waits in
// the host keeps one. Who comes back and finds none waits until Go's monitor has taken
// one from a sleeper, 20 us later, and for a wake-up.
func Procs() int { return runtime.NumCPU() + maxIdle }

// A Backend performs operations.
type Backend interface {
	// Do performs q and fills r, whose FD is -1 and whose Data is empty room.
	// A descriptor put there becomes the caller's. q is not OpClunk.
	Do(q *donate.Request, r *donate.Reply)
	// Clunk gives back handles.
	Clunk(handles []uint64)
	// NineP is the tree that 9P serves. Files it opens are sent to donations.
	NineP(donations *p9.Donor) p9.Attacher
}

type server struct {
	// immutable
	side    *donate.Conn
	backend Backend

	// atomic
	idle    atomic.Int32
	workers atomic.Int32

	wg sync.WaitGroup
}

// Serve serves one Sentry on the two sockets, which it takes over, until the
// Sentry is gone or breaks the protocol.
func Serve(fd9p, fdSide int, backend Backend) {
	s := &server{side: donate.NewConn(fdSide), backend: backend}
	stream := p9.NewStream(fd9p)

	s.wg.Add(1)
	s.workers.Add(1)
	go s.work()
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.side.WaitHangup()
		stream.Shutdown()
	}()

	p9.Serve(stream, backend.NineP(p9.NewDonor(s.side)))
	s.side.Shutdown()
	s.wg.Wait()
	s.side.Close()
	stream.Close()
}

// work receives and serves until the connection ends or enough others wait.
func (s *server) work() {
	defer s.wg.Done()
	defer s.workers.Add(-1)
	in := make([]byte, donate.MaxPacket)
	var out, data []byte
	for {
		if s.idle.Add(1) > maxIdle {
			s.idle.Add(-1)
			return
		}
		n, fd, errno := s.side.Recv(in)
		waiting := s.idle.Add(-1)
		if fd >= 0 {
			// The Sentry has nothing to donate.
			unix.Close(fd)
			errno = linux.EPROTO
		}
		if errno != 0 {
			s.side.Shutdown()
			return
		}
		if waiting == 0 && s.workers.Load() < maxWorkers {
			s.wg.Add(1)
			s.workers.Add(1)
			go s.work()
		}
		var ok bool
		if out, data, ok = s.serve(in[:n], out[:0], data[:0]); !ok {
			s.side.Shutdown()
			return
		}
	}
}

// serve performs the request in packet and sends the reply, encoded in out. It
// returns out and data, the backend's room for a list, for the next. False ends
// the connection.
func (s *server) serve(packet, out, data []byte) ([]byte, []byte, bool) {
	var q donate.Request
	if !q.Decode(packet) {
		return out, data, false
	}
	if q.Op == donate.OpClunk {
		s.backend.Clunk(q.Handles)
		return out, data, true
	}
	r := donate.Reply{Tag: q.Tag, Op: q.Op, FD: -1, Data: data}
	s.backend.Do(&q, &r)
	out, tail := r.AppendHead(out)
	if cap(r.Data) > cap(data) && cap(r.Data) <= 2*donate.MaxPacket {
		data = r.Data
	}
	fds := r.FDs
	if r.FD >= 0 {
		fds = []int{r.FD}
	}
	errno := s.side.SendTwo(out, tail, fds...)
	donate.CloseAll(fds)
	return out, data, errno == 0
}
