package host

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// A Deputy is a process outside the sandbox that makes calls in the Sentry's place, one
// after the other. It is at the other end of a socket that keeps records apart. Its answers
// begin with eight bytes: what the call has returned, less than zero if that is an errno.
type Deputy struct {
	// immutable
	fd   int
	turn chan struct{} // holds a token while nobody asks; closed by Close
}

// NewDeputy returns the deputy at the socket fd, which it takes over.
func NewDeputy(fd int) *Deputy {
	d := &Deputy{fd: fd, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	return d
}

// Close ends the deputy once nobody asks it any more. Whoever asks later gets EIO.
func (d *Deputy) Close() {
	if _, open := <-d.turn; open {
		close(d.turn)
		_ = Close(d.fd) // whatever it says, it is closed
	}
}

// Ask sends a request and waits for what the deputy says to it: what the call returned, out
// bytes, and at most maxFDs descriptors, which are the caller's. There are none with an
// error, which is the call's, or EIO where the deputy has gone or its answer makes no sense.
// No lock may be held.
func (d *Deputy) Ask(request []byte, out, maxFDs int) (ret int64, data []byte, fds []int, err error) {
	if _, open := <-d.turn; !open {
		return 0, nil, nil, linux.EIO
	}
	defer func() { d.turn <- struct{}{} }()
	if _, err := SendFDs(d.fd, request); err != nil {
		return 0, nil, nil, linux.EIO
	}
	const head = 8
	answer := make([]byte, head+out)
	n, fds, err := RecvFDs(d.fd, answer, maxFDs)
	for err == error(linux.EINTR) {
		n, fds, err = RecvFDs(d.fd, answer, maxFDs)
	}
	ret = int64(binary.LittleEndian.Uint64(answer))
	switch {
	case err != nil || n < head:
		err = linux.EIO
	case ret < 0:
		err = linux.Errno(min(uint64(-ret), 4095))
	case n < len(answer):
		err = linux.EIO
	default:
		return ret, answer[head:], fds, nil
	}
	for _, fd := range fds {
		_ = Close(fd)
	}
	return 0, nil, nil, err
}
