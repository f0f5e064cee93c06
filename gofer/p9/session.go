package p9

import (
	"sync/atomic"
	"time"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"github.com/hugelgupf/p9/p9"
)

// messageSize is what both sides agree on. No data goes over 9P, so messages
// are small, and the library allocates buffers of this size.
const messageSize = 16 << 10

// Serve runs the server on s until the connection ends.
func Serve(s *Stream, a Attacher) {
	// Where the connection ends just after the library started a goroutine
	// to receive, the library panics: it counts the goroutine only when it
	// runs, in a WaitGroup that is being waited for. Nothing is lost then
	// but what ends with the session anyway.
	defer func() { _ = recover() }()
	_ = p9.NewServer(a).Handle(lingering{shared{s}}, shared{s})
}

// lingering gives goroutines that the library has just started the time to be
// counted before it learns that the connection has ended.
type lingering struct{ shared }

const linger = 2 * time.Millisecond

func (l lingering) Read(p []byte) (int, error) {
	n, err := l.shared.Read(p)
	if err != nil {
		time.Sleep(linger)
	}
	return n, err
}

// shared keeps the library from closing a stream that others still use.
type shared struct{ *Stream }

func (s shared) Close() error {
	s.Shutdown()
	return nil
}

// unfailing hides failed writes from the library's client, which puts the call
// back into a pool that all its clients share while it is still waiting: the
// next to use it, perhaps on another connection, gets this one's error. The
// failure is seen when the answer is read.
type unfailing struct{ shared }

func (u unfailing) Write(p []byte) (int, error) {
	if _, err := u.shared.Write(p); err != nil {
		u.Shutdown()
	}
	return len(p), nil
}

// A Session is the client's side of a 9P connection. After the first failure
// that is no answer of the server, every call fails.
type Session struct {
	stream *Stream    // immutable
	client *p9.Client // immutable
	broken atomic.Bool
}

// Dial takes over s and agrees on the version.
func Dial(s *Stream) (*Session, linux.Errno) {
	c, err := p9.NewClient(unfailing{shared{s}}, p9.WithMessageSize(messageSize))
	if err != nil {
		return nil, linux.EIO
	}
	return &Session{stream: s, client: c}, 0
}

// Shutdown ends the connection; calls in progress fail with EIO.
func (s *Session) Shutdown() {
	s.broken.Store(true)
	s.stream.Shutdown()
}

// check converts a result, and breaks the session when it is no answer.
func (s *Session) check(err error) linux.Errno {
	e, ok := fromError(err)
	if !ok {
		s.Shutdown()
	}
	return e
}

// A Fid is a file of a session. Clunk gives it back.
type Fid struct {
	s *Session
	f p9.File
}

// Attach returns the root of the mount called name.
func (s *Session) Attach(name string) (*Fid, linux.Errno) {
	if s.broken.Load() {
		return nil, linux.EIO
	}
	f, err := s.client.Attach(name)
	if e := s.check(err); e != 0 {
		return nil, e
	}
	return &Fid{s, f}, 0
}

// Handle returns a fid of what the side channel calls handle.
func (f *Fid) Handle(handle uint64) (*Fid, linux.Errno) {
	if f.s.broken.Load() {
		return nil, linux.EIO
	}
	_, nf, err := f.f.Walk([]string{HandleName(handle)})
	if e := f.s.check(err); e != 0 {
		return nil, e
	}
	return &Fid{f.s, nf}, 0
}

// Unlink removes name from the directory f.
func (f *Fid) Unlink(name string, flags linux.AtFlags) linux.Errno {
	if f.s.broken.Load() {
		return linux.EIO
	}
	return f.s.check(f.f.UnlinkAt(name, uint32(flags)))
}

// StatFS returns the file system of f. 9P has no mount flags.
func (f *Fid) StatFS() (donate.StatFS, linux.Errno) {
	if f.s.broken.Load() {
		return donate.StatFS{}, linux.EIO
	}
	s, err := f.f.StatFS()
	if e := f.s.check(err); e != 0 {
		return donate.StatFS{}, e
	}
	return FromStatFS(s), 0
}

// Clunk gives f back.
func (f *Fid) Clunk() {
	if !f.s.broken.Load() {
		f.s.check(f.f.Close())
	}
}

// Broken reports whether the session has ended.
func (s *Session) Broken() bool { return s.broken.Load() }

// Close releases the stream. No call may be in progress.
func (s *Session) Close() { s.stream.Close() }
