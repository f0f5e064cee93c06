package patch

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

const (
	page = 4096

	// seedFar and seedNear bound the places before a site where decoding
	// begins. Boundaries count from there on only once the decodings had time
	// to fall in step, so seedNear leaves the reach of a short jump and more.
	seedFar  = 448
	seedNear = 320
	// reach is how far behind a site its neighbourhood is decoded.
	reach = 320
	// near is how far from the site what may be replaced is, at most.
	near = 192
	// inStep is within how many bytes decodings fall in step.
	inStep = 64
	// minSeeds is how many decodings, begun independently of each other, must
	// agree on a boundary before it counts as one.
	minSeeds = 3
)

// text is what is known of the code around one site.
type text struct {
	base uint64
	b    []byte
	site int // offset of the syscall instruction in b

	// taken tells which padding is in use.
	taken func(addr uint64, n int) bool

	// at marks the offsets where some decoding found an instruction, the end of
	// the text among them, cover counts the instructions over each byte.
	at    []bool
	cover []uint8
	// seeds is how many decodings of what stands before the site began
	// independently: none of them ran into the beginning of another.
	seeds int

	// targets are where 32-bit displacements lead to, within near of the site.
	targets []int

	// first is where what is marked begins, decoded has the instructions from there on.
	first   int
	decoded [seedFar + reach + 4*maxInsn]remembered

	bytes  [3 * page]byte
	marks  [3*page + 1]bool
	covers [3 * page]uint8
}

// texts are those that nobody uses: all of one is larger than what is new and
// has not been touched costs to have.
var texts = sync.Pool{New: func() any { return new(text) }}

// A remembered instruction has been decoded before, if it has a size.
type remembered struct {
	size, kind, ripAt uint8 // of what is no instruction the size is 255
	rel               int32
}

// load reads the pages around addr, of which the one before and the one behind
// may be missing. Whoever has it calls free.
func load(c Code, addr uint64) (*text, bool) {
	first := addr &^ (page - 1)
	t := texts.Get().(*text)
	t.base, t.b, t.seeds, t.targets = first, t.bytes[:], 0, t.targets[:0]
	t.taken = func(uint64, int) bool { return false }
	if o, ok := c.(*original); ok {
		t.taken = o.set.taken
	}
	mid := t.b[page : 2*page]
	n := clamp(c.Read(first, mid), page)
	if n == page {
		n += clamp(c.Read(first+page, t.b[2*page:]), page)
	}
	from := page
	if clamp(c.Read(first-page, t.b[:page]), page) == page {
		from, t.base = 0, first-page
	}
	t.b = t.b[from : page+n]
	t.site = int(addr - t.base)
	t.first = max(0, t.site-seedFar)
	t.at, t.cover = t.marks[:len(t.b)+1], t.covers[:len(t.b)]
	if t.site+2 > len(t.b) {
		t.free()
		return nil, false
	}
	t.sweep()
	t.findTargets()
	return t, true
}

// free ends the use of t, of which what is marked lies around the site.
func (t *text) free() {
	last := t.first + len(t.decoded)
	clear(t.at[min(t.first, len(t.at)):min(last, len(t.at))])
	clear(t.cover[min(t.first, len(t.cover)):min(last, len(t.cover))])
	clear(t.decoded[:])
	t.taken = nil
	texts.Put(t)
}

// decode decodes the instruction at i.
func (t *text) decode(i int) insn {
	k := uint(i - t.first)
	if k >= uint(len(t.decoded)) {
		return decode(t.b[i:])
	}
	r := &t.decoded[k]
	switch r.size {
	case 0:
		in := decode(t.b[i:])
		*r = remembered{uint8(in.size), uint8(in.kind), uint8(in.ripAt), int32(in.rel)}
		if in.size == 0 {
			r.size = 255
		}
		return in
	case 255:
		return insn{}
	}
	return insn{size: int(r.size), kind: kind(r.kind), rel: int64(r.rel), ripAt: int(r.ripAt)}
}

func clamp(n, limit int) int { return max(0, min(n, limit)) }

// sweep marks the instructions around the site: before it those that any of
// the decodings finds, from it on those that follow it, which is certain since
// it was executed. What cannot be decoded is taken as one byte, so that a
// stretch of data puts no decoding in step with the others.
func (t *text) sweep() {
	from, to := max(0, t.site-seedFar), max(0, t.site-seedNear)
	if to == 0 {
		// The text begins nearby: begin within its first bytes.
		to = min(16, t.site)
	}
	var hit [seedFar + maxInsn + 1]bool // run into by an earlier decoding
	for i := from; i < to; i++ {
		if !hit[i-from] {
			t.seeds++
		}
		t.at[i] = true
		hit[i-from+max(1, t.decode(i).size)] = true
	}
	for i := from; i < t.site; i++ {
		if t.at[i] {
			t.at[i+t.mark(i)] = true
		}
	}
	for i := t.site + 1; i < len(t.at) && i < t.site+maxInsn+1; i++ {
		t.at[i] = false
	}
	end := min(t.site+reach, len(t.b))
	for i := t.site; i < end && t.decode(i).kind != kindBad; {
		t.at[i] = true
		i += t.mark(i)
	}
}

// mark covers the bytes of the instruction at i and returns their number.
func (t *text) mark(i int) int {
	n := max(1, t.decode(i).size)
	for j := i; j < i+n; j++ {
		if t.cover[j] < 255 {
			t.cover[j]++
		}
	}
	return n
}

// agreed tells whether [from, to) is a row of whole instructions in every
// decoding.
func (t *text) agreed(from, to int) bool {
	if from < t.site && !t.settled(from) {
		return false
	}
	i := from
	for i < to {
		in := t.decode(i)
		if !t.at[i] || in.kind == kindBad {
			return false
		}
		for j := i; j < i+in.size; j++ {
			if t.cover[j] != 1 {
				return false
			}
		}
		i += in.size
	}
	return i == to
}

// settled tells whether the decodings had time to fall in step before i. What
// is no instruction, or is not known here, puts all of them out of it.
func (t *text) settled(i int) bool {
	if t.seeds < minSeeds || i < max(0, t.site-seedNear)+inStep {
		return false
	}
	for j := i - inStep; j < i; j++ {
		if t.at[j] && t.decode(j).kind == kindBad {
			return false
		}
	}
	return true
}

// previous returns where the instruction before the site begins, if all
// decodings agree.
func (t *text) previous() (int, bool) {
	for i := t.site - 1; i >= 0 && i >= t.site-maxInsn; i-- {
		if t.at[i] && t.decode(i).size == t.site-i && t.agreed(i, t.site) {
			return i, true
		}
	}
	return 0, false
}

// findTargets fills targets: a displacement that leads near the site is looked for
// at every byte of the text, four at a time.
func (t *text) findTargets() {
	const span = 2 * near
	b, d := t.b, uint32(4-t.site+near) // d is the end of the first
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b)
		if uint32(v)+d <= span || uint32(v>>8)+d+1 <= span || uint32(v>>16)+d+2 <= span || uint32(v>>24)+d+3 <= span {
			for k := range 4 {
				t.displaced(len(t.b) - len(b) + k)
			}
		}
		b, d = b[4:], d+4
	}
	for i := len(t.b) - len(b); i+4 <= len(t.b); i++ {
		t.displaced(i)
	}
}

// displaced adds to targets where the 32-bit displacement at i leads to, if that is
// near and one of an instruction that has such.
func (t *text) displaced(i int) {
	to := int64(i+4-t.site) + int64(int32(binary.LittleEndian.Uint32(t.b[i:])))
	if to < -near || to > near || i == 0 {
		return
	}
	last := t.b[i-1]
	found := last == 0xe8 || last == 0xe9
	if i > 1 && !found {
		first := t.b[i-2]
		found = first == 0x0f && last&0xf0 == 0x80 || first == 0x8d && last&0xc7 == 0x05
	}
	if found {
		t.targets = append(t.targets, t.site+int(to))
	}
}

// targeted tells whether a direct branch, or an lea that takes an address,
// leads to one of the bytes [from, to). Those with a 32-bit displacement are
// looked for at every byte of the text; at every byte one with 8 bits would be
// found by chance all the time, so they count where a decoding found them.
func (t *text) targeted(from, to int) bool {
	if from < t.site-near || to > t.site+near {
		return true // nobody has looked
	}
	for _, x := range t.targets {
		if x >= from && x < to {
			return true
		}
	}
	in := func(target int64) bool { return target >= int64(from) && target < int64(to) }
	for i := max(0, from-160); i < min(len(t.b), to+160); i++ {
		if !t.at[i] {
			continue
		}
		d := t.decode(i)
		if (d.kind == kindBranch || d.kind == kindJump) && in(int64(i+d.size)+d.rel) {
			return true
		}
	}
	return false
}

// padding finds the nearest five bytes, in reach of a short jump at the site,
// that are in padding which control never reaches and that nobody uses yet. It
// prefers those that lie in one line of the cache.
func (t *text) padding() (best int, ok bool) {
	next := t.site + syscallSize
	for i := max(1, next-128-2*maxInsn); i < min(next+128, len(t.b)); i++ {
		if !t.at[i] {
			continue
		}
		end, ok1 := t.run(i)
		if !ok1 {
			continue
		}
		jump, ok1 := t.cut(i, end)
		if !ok1 {
			continue
		}
		one, had := t.oneLine(jump), ok && t.oneLine(best)
		if !ok || one && !had || one == had && dist(jump, next) < dist(best, next) {
			best, ok = jump, true
		}
	}
	return best, ok
}

func dist(a, b int) int {
	if a < b {
		a, b = b, a
	}
	return a - b
}

// run returns the end of the padding at i, if there are five bytes of it,
// behind an instruction that never runs on.
func (t *text) run(i int) (end int, ok bool) {
	end = i
	traps := true
	for end < len(t.b) {
		in := t.decode(end)
		if in.kind != kindNop && t.b[end] != 0xcc || !t.at[end] {
			break
		}
		traps = traps && t.b[end] == 0xcc
		end += in.size
	}
	if end-i < 5 {
		return 0, false
	}
	// Nops end where something is aligned; int3 is not executed at all.
	if !traps && bits.TrailingZeros64(t.base+uint64(end)) < 3 {
		return 0, false
	}
	b, in := t.before(i)
	return end, (in.kind == kindJump || in.kind == kindLeave) && t.agreed(b, end)
}

// before returns an instruction that ends at i.
func (t *text) before(i int) (int, insn) {
	for b := i - 1; b >= 0 && b >= i-maxInsn; b-- {
		if in := t.decode(b); t.at[b] && in.size == i-b {
			return b, in
		}
	}
	return 0, insn{}
}

// aligns tells whether the nop at i is of padding behind an instruction that
// never runs on: control comes to what is behind it by branches.
func (t *text) aligns(i int) bool {
	b, in := t.before(i)
	for in.kind == kindNop {
		b, in = t.before(b)
	}
	return in.kind == kindJump || in.kind == kindLeave
}

// cut takes from the padding [from, to) five bytes in reach of the site, in one
// line of the cache if there are such.
func (t *text) cut(from, to int) (best int, ok bool) {
	next := t.site + syscallSize
	for jump := max(from, next-128); jump <= min(to-jumpSize, next+127); jump++ {
		if t.taken(t.base+uint64(jump), jumpSize) {
			continue
		}
		if one := t.oneLine(jump); one || !ok {
			best, ok = jump, true
			if one {
				break
			}
		}
	}
	return best, ok && !t.targeted(from, best+jumpSize)
}

// oneLine tells whether a jump at i lies in one line of the cache.
func (t *text) oneLine(i int) bool {
	return (t.base+uint64(i))%lineSize <= lineSize-jumpSize
}
