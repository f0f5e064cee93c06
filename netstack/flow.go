package netstack

import (
	"io"
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
)

// A flow is one direction of a short cut: a queue of bytes with one writer and one reader at a time, who do not wait for
// each other. The writer holds its endpoint's wmu, the reader its endpoint's rmu.
type flow struct {
	// immutable
	from, to *Endpoint

	// guarded by from.wmu
	tail *chunk

	// guarded by to.rmu
	head *chunk
	off  int // of head, how much was read

	// atomic
	first    atomic.Pointer[chunk] // where a reader without a head begins
	written  atomic.Uint64
	read     atomic.Uint64
	limit    atomic.Int64  // of what is buffered, as of the last write
	starved  atomic.Bool   // somebody wants to write and was told that there is no room
	segments atomic.Uint64 // for counters: not saved
	bytesOut atomic.Uint64 // likewise
	closed   atomic.Bool   // the reader has gone: bytes take the stack's way, which refuses them

	// immutable
	// earlier is how many bytes the writer gave to the stack before the flow began: they are read first.
	earlier uint64
}

// Chunks come in two sizes: an idle connection should cost little, a stream should not be cut up.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

// A chunk is a part of a flow's bytes. Its writer fills it from the front and never touches it again once it has a next.
type chunk struct {
	// immutable
	b []byte

	// atomic
	filled atomic.Int64
	next   atomic.Pointer[chunk]
}

// chunkPools keep chunks between uses; nobody can tell whether they are empty.
var smallChunks, largeChunks sync.Pool

func newChunk(want int) *chunk {
	pool, size := &smallChunks, smallChunk
	if want > smallChunk {
		pool, size = &largeChunks, largeChunk
	}
	if c, ok := pool.Get().(*chunk); ok {
		return c
	}
	return &chunk{b: make([]byte, size)}
}

func (c *chunk) free() {
	c.filled.Store(0)
	c.next.Store(nil)
	if len(c.b) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}

// buffered is how many bytes wait to be read.
func (f *flow) buffered() int { return int(f.written.Load() - f.read.Load()) }

// roomy reports whether a third of the room is free, as Linux wants before it calls a stream writable again.
func (f *flow) roomy(limit int) bool { return f.buffered() <= limit/3*2 }

// writable is roomy, and asks to be told when it changes.
func (f *flow) writable(limit int) bool {
	if f.roomy(limit) {
		return true
	}
	f.limit.Store(int64(limit))
	f.starved.Store(true)
	return f.roomy(limit)
}

// write takes as much of p as there is room for. The caller holds from.wmu.
func (f *flow) write(p Payload, limit int) (int, error) {
	if f.limit.Load() != int64(limit) {
		f.limit.Store(int64(limit))
	}
	done := 0
	for p.Len() > 0 && !f.closed.Load() {
		room := limit - f.buffered()
		if room <= 0 {
			f.starved.Store(true)
			if room = limit - f.buffered(); room <= 0 {
				break
			}
		}
		c := f.tail
		fresh := c == nil || int(c.filled.Load()) == len(c.b)
		if fresh {
			c = newChunk(min(p.Len(), room))
		}
		at := int(c.filled.Load())
		n, err := p.Read(c.b[at:min(len(c.b), at+min(p.Len(), room))])
		if n > 0 {
			f.publish(c, n, fresh)
			done += n
		} else if fresh {
			c.free()
		}
		if err != nil && done == 0 && err != io.EOF {
			return 0, err
		}
		if err != nil {
			return done, nil
		}
	}
	if done == 0 && p.Len() > 0 {
		return 0, linux.EAGAIN
	}
	return done, nil
}

// publish lets the reader see n more bytes of c.
func (f *flow) publish(c *chunk, n int, fresh bool) {
	c.filled.Add(int64(n))
	if fresh {
		if f.tail == nil {
			f.first.Store(c)
		} else {
			f.tail.next.Store(c)
		}
		f.tail = c
	}
	f.written.Add(uint64(n))
}

// take gives bytes to dst until it refuses or nothing is left. An error comes only if it took nothing. The caller holds
// to.rmu.
func (f *flow) take(dst io.Writer, peek bool) (int, error) {
	c, off := f.head, f.off
	if c == nil {
		c, off = f.first.Load(), 0
	}
	done := 0
	var err error
	for c != nil && err == nil {
		end := int(c.filled.Load())
		if off == end {
			next := c.next.Load()
			if next == nil {
				break
			}
			if end != int(c.filled.Load()) {
				continue // filled up between the two looks
			}
			if !peek {
				c.free()
			}
			c, off = next, 0
			continue
		}
		var n int
		n, err = dst.Write(c.b[off:end])
		if n < end-off && err == nil {
			err = io.ErrShortWrite
		}
		off += n
		done += n
	}
	if !peek {
		f.head, f.off = c, off
		f.read.Add(uint64(done))
	}
	if _, fault := err.(linux.Errno); fault && done == 0 {
		return 0, err
	}
	return done, nil
}

// drained gives memory back when nothing is left to be read and nobody writes. The caller holds to.rmu.
func (f *flow) drained() {
	if f.buffered() != 0 || f.head == nil || !f.from.wmu.TryLock() {
		return
	}
	if f.buffered() == 0 && f.head == f.tail {
		f.head.free()
		f.head, f.tail, f.off = nil, nil, 0
		f.first.Store(nil)
	}
	f.from.wmu.Unlock()
}

// bytes returns what waits to be read, for a checkpoint: nobody reads or writes.
func (f *flow) bytes() []byte {
	out := make([]byte, 0, f.buffered())
	c, off := f.head, f.off
	if c == nil {
		c, off = f.first.Load(), 0
	}
	for ; c != nil; c, off = c.next.Load(), 0 {
		out = append(out, c.b[off:c.filled.Load()]...)
	}
	return out
}
