package p9

import (
	"encoding/binary"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// readAhead is how much a Stream asks the kernel for at once.
const readAhead = 16 << 10

// A Stream is a connected stream socket in blocking mode, as an
// io.ReadWriteCloser. One goroutine may read and one may write at a time, as
// the library does. After Close every call fails: the library's client clunks
// forgotten fids when the collector finds them, which may be later than that.
type Stream struct {
	// use is held for reading during a system call on fd, for writing by
	// Close.
	use    sync.RWMutex
	fd     int  // immutable
	closed bool // guarded by use

	// by the one reader
	buf  []byte
	rest []byte

	// by the one writer
	out []byte
}

// NewStream takes over fd.
func NewStream(fd int) *Stream { return &Stream{fd: fd, buf: make([]byte, readAhead)} }

// Read reads what there is.
func (s *Stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if len(p) >= len(s.buf) {
			return s.read(p)
		}
		n, err := s.read(s.buf)
		if err != nil {
			return 0, err
		}
		s.rest = s.buf[:n]
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *Stream) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed {
		return 0, io.EOF
	}
	for {
		n, err := unix.Read(s.fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write takes a piece of a message and sends the message when it is whole: the
// library writes header, body and payload apart, and its header says the size.
func (s *Stream) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	if len(s.out) < 4 || uint64(len(s.out)) < uint64(binary.LittleEndian.Uint32(s.out)) {
		return len(p), nil
	}
	b := s.out
	s.out = s.out[:0]
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	for len(b) > 0 {
		n, err := unix.SendmsgN(s.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		b = b[n:]
	}
	return len(p), nil
}

// Shutdown ends the connection: every blocked call returns.
func (s *Stream) Shutdown() {
	s.use.RLock()
	defer s.use.RUnlock()
	if !s.closed {
		unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}

// Close releases the socket, after Shutdown.
func (s *Stream) Close() {
	s.use.Lock()
	defer s.use.Unlock()
	if !s.closed {
		s.closed = true
		unix.Close(s.fd)
	}
}
