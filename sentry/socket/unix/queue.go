package unix

import (
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// Sizes of the buffers that streams move data in; emptied ones are used again.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
	// joinLimit is up to what size a write is copied into the buffer of the one before it.
	joinLimit = 1 << 10
	// messageCharge is what a message costs its sender beside its bytes.
	messageCharge = 768
)

// A message is a datagram, or a run of a stream's bytes.
type message struct {
	next   *message
	buf    []byte // the whole buffer
	data   []byte // what is left of it
	from   string // the sender's name
	creds  *socket.Creds
	rights *rights
	sender *Socket // whom it is charged to
	charge int
}

// rights are descriptors in flight.
type rights struct {
	files []*vfs.Description
	uid   uint32 // who sent them
}

// messages is a socket's queue.
type messages struct {
	first, last *message
	n           int
	bytes       int

	// Emptied buffers for the next writer.
	small, large *message
}

func (q *messages) push(m *message) {
	if q.last == nil {
		q.first = m
	} else {
		q.last.next = m
	}
	q.last = m
	q.n++
	q.bytes += len(m.data)
}

// pop takes the first message off; it must have been consumed or be whole.
func (q *messages) pop() *message {
	m := q.first
	q.first = m.next
	if q.first == nil {
		q.last = nil
	}
	m.next = nil
	q.n--
	q.bytes -= len(m.data)
	return m
}

// join appends b to the last message if it is a plain run of bytes of the same sender with room left.
func (q *messages) join(b []byte, s *Socket) bool {
	m := q.last
	if m == nil || len(b) > joinLimit || m.creds != nil || m.rights != nil || m.sender != s || cap(m.data)-len(m.data) < len(b) {
		return false
	}
	// A reader may be copying from m.data now: this writes behind what it sees.
	m.data = append(m.data, b...)
	m.charge += len(b)
	q.bytes += len(b)
	return true
}

// buffer returns a message with room for n bytes, an emptied one if there is one.
func (q *messages) buffer(n int) *message {
	spare, size := &q.small, smallBuffer
	if n > smallBuffer {
		spare, size = &q.large, largeBuffer
	}
	m := *spare
	*spare = nil
	switch {
	case m != nil && cap(m.buf) >= n:
	case n > largeBuffer:
		m = &message{buf: make([]byte, n)}
	default:
		m = &message{buf: make([]byte, size)}
	}
	m.data = m.buf[:n]
	return m
}

// datagram returns a message of n bytes: an emptied one where datagrams are read as they come, else one that is not larger
// than it has to be.
func (q *messages) datagram(n int) *message {
	if q.first == nil && 0 < n && n <= smallBuffer {
		return q.buffer(n)
	}
	m := &message{buf: make([]byte, n)}
	m.data = m.buf
	return m
}

// recycle keeps an emptied message for the next writer.
func (q *messages) recycle(m *message) {
	buf := m.buf
	*m = message{buf: buf}
	switch len(buf) {
	case smallBuffer:
		q.small = m
	case largeBuffer:
		q.large = m
	}
}

// take empties the queue and returns the first of its messages.
func (q *messages) take() *message {
	m := q.first
	*q = messages{}
	return m
}
