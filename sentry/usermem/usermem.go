// Package usermem is guest memory as the rest of the Sentry sees it: a Space
// to copy from and to, and a Seq, the ranges that one read or write moves
// bytes through.
//
// # Locking
//
// A copy may take the memory manager's locks and may fault pages in, so it is
// made with no lock held that ranks after them (see internal/lock).
package usermem

import "cordon/internal/linux"

// A Range is [Start, End) in guest addresses.
type Range struct{ Start, End uint64 }

// Len returns the number of bytes in r.
func (r Range) Len() uint64 { return r.End - r.Start }

// Access is what a caller wants to do with memory.
type Access uint8

const (
	Read Access = 1 << iota
	Write
	Execute
)

// A Space is an address space. Every method returns how far it came and EFAULT
// when it could not go on, never a panic, whatever the address.
type Space interface {
	// CopyIn fills dst from addr.
	CopyIn(addr uint64, dst []byte) (int, error)
	// CopyOut stores src at addr.
	CopyOut(addr uint64, src []byte) (int, error)
	// ZeroOut stores n zero bytes at addr.
	ZeroOut(addr, n uint64) (uint64, error)
	// Blocks calls fn with the memory at [addr, addr+n) as slices of the
	// Sentry's own windows, in order and in one or more calls, until fn
	// returns less than it was given, an error, or all is done. The slices
	// are pinned during the call only. Memory that has no window (a mapped
	// host file) is given as a bounce buffer, written back after the call
	// when a is Write. fn must not touch guest memory by other means.
	Blocks(addr, n uint64, a Access, fn func(blocks [][]byte) (uint64, error)) (uint64, error)
}

// MaxIO is the most that one read or write moves (Linux: MAX_RW_COUNT).
const MaxIO = 0x7ffff000

// A Seq is what is left of the user buffers of one read or write. Copies
// consume it from the front. The zero Seq is empty.
type Seq struct {
	mem    Space
	kernel []byte  // instead of mem: the Sentry's own memory
	one    Range   // the current range
	rest   []Range // after it
	n      uint64  // bytes left in all
}

// Of returns the Seq of one buffer.
func Of(mem Space, addr, n uint64) Seq {
	return Seq{mem: mem, one: Range{addr, addr + n}, n: n}
}

// OfRanges returns the Seq of several buffers. It keeps ranges.
func OfRanges(mem Space, ranges []Range) Seq {
	s := Seq{mem: mem, rest: ranges}
	for _, r := range ranges {
		s.n += r.Len()
	}
	return s
}

// OfBytes returns a Seq over the Sentry's own memory.
func OfBytes(b []byte) Seq { return Seq{kernel: b, n: uint64(len(b))} }

// Len returns the number of bytes left.
func (s *Seq) Len() uint64 { return s.n }

// Space returns the address space behind s, nil for the Sentry's own memory.
func (s *Seq) Space() Space { return s.mem }

// Take returns a Seq of the first n bytes of s, leaving s as it was.
func (s *Seq) Take(n uint64) Seq {
	t := *s
	if n >= t.n {
		return t
	}
	t.n = n
	if t.kernel != nil {
		t.kernel = t.kernel[:n]
	}
	return t
}

// front returns the next run of at most s.n bytes.
func (s *Seq) front() Range {
	for s.one.Start == s.one.End && len(s.rest) > 0 {
		s.one, s.rest = s.rest[0], s.rest[1:]
	}
	r := s.one
	if r.Len() > s.n {
		r.End = r.Start + s.n
	}
	return r
}

// Skip drops n bytes from the front.
func (s *Seq) Skip(n uint64) {
	n = min(n, s.n)
	if s.kernel != nil {
		s.kernel = s.kernel[n:]
		s.n -= n
		return
	}
	for n > 0 {
		k := min(s.front().Len(), n)
		s.one.Start += k
		s.n -= k
		n -= k
	}
}

// CopyOut stores src into the buffers, as much as fits. An error comes only
// with a short count.
func (s *Seq) CopyOut(src []byte) (int, error) {
	if s.kernel != nil {
		n := copy(s.kernel, src)
		s.Skip(uint64(n))
		return n, nil
	}
	done := 0
	for done < len(src) && s.n > 0 {
		r := s.front()
		n, err := s.mem.CopyOut(r.Start, src[done:done+int(min(uint64(len(src)-done), r.Len()))])
		s.Skip(uint64(n))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// CopyIn fills dst from the buffers, as far as they go.
func (s *Seq) CopyIn(dst []byte) (int, error) {
	if s.kernel != nil {
		n := copy(dst, s.kernel)
		s.Skip(uint64(n))
		return n, nil
	}
	done := 0
	for done < len(dst) && s.n > 0 {
		r := s.front()
		n, err := s.mem.CopyIn(r.Start, dst[done:done+int(min(uint64(len(dst)-done), r.Len()))])
		s.Skip(uint64(n))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// ZeroOut stores up to n zero bytes.
func (s *Seq) ZeroOut(n uint64) (uint64, error) {
	n = min(n, s.n)
	if s.kernel != nil {
		clear(s.kernel[:n])
		s.Skip(n)
		return n, nil
	}
	var done uint64
	for done < n {
		r := s.front()
		m, err := s.mem.ZeroOut(r.Start, min(r.Len(), n-done))
		s.Skip(m)
		done += m
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Blocks gives fn the buffers as slices (see Space.Blocks) and consumes what
// fn says it used. It stops when fn uses less than it was given.
func (s *Seq) Blocks(a Access, fn func(blocks [][]byte) (uint64, error)) (uint64, error) {
	if s.kernel != nil {
		n, err := fn([][]byte{s.kernel})
		s.Skip(n)
		return n, err
	}
	var done uint64
	for s.n > 0 {
		r := s.front()
		n, err := s.mem.Blocks(r.Start, r.Len(), a, fn)
		s.Skip(n)
		done += n
		if err != nil || n < r.Len() {
			return done, err
		}
	}
	return done, nil
}

// Fault is the error of memory that cannot be accessed.
const Fault = linux.EFAULT
