package mm

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

const (
	// textBase is the address that a shared text knows its file's first byte by.
	textBase = 1 << 40

	// A text of up to wholeText is copied whole, of a larger one textChunk
	// around what is patched, and textMax altogether.
	wholeText = 2 << 20
	textChunk = 64 << 10
	textMax   = 4 << 20

	// sharedArena is the size of a file's trampolines. They are arenaBelow its
	// first byte, or arenaNear of a program that is linked to a fixed address,
	// low in memory: nothing else is there, and the programs that do map so much
	// have it go round the arena.
	sharedArena = 4 * pageSize
	arenaBelow  = 1 << 30
	arenaNear   = 1 << 20
)

// A sharedText is one version of a file's text with the platform's patches in it,
// as address spaces map it in place of the file's own pages. Its bytes are the
// Sentry's copy of the file and what the platform stored, never a guest's.
type sharedText struct {
	// immutable
	texts   *Texts
	file    memmap.TextFile
	version memmap.TextVersion
	view    textView // of nothing in particular

	// atomic
	stale  atomic.Bool
	kept   atomic.Pointer[any]
	pieces atomic.Pointer[[]textPiece] // by offset; never changed
	used   atomic.Uint64               // Texts.clock when it was last mapped
	busy   atomic.Bool                 // users is not zero

	mu lock.Mutex[lock.SharedText]
	// guarded by mu
	users   int // address spaces
	gone    bool
	patches patches       // by offset in the memory file
	arena   memfile.Range // empty: none yet
	arenaAt uint64        // from textBase on, as all addresses
}

// A textPiece is a copy of a part of a file. An address space has all of it mapped
// or nothing: a patch is never in two.
type textPiece struct {
	r   memmap.Range
	off uint64 // in the memory file
}

var (
	_ memmap.SharedText = (*sharedText)(nil)
	_ memmap.Backing    = (*sharedText)(nil)
)

// Stale implements memmap.SharedText.
func (s *sharedText) Stale() { s.stale.Store(true) }

// Version implements memmap.SharedText.
func (s *sharedText) Version() memmap.TextVersion { return s.version }

// all returns the pieces.
func (s *sharedText) all() []textPiece {
	if p := s.pieces.Load(); p != nil {
		return *p
	}
	return nil
}

// piece returns the piece with the byte at off of the file.
func (s *sharedText) piece(off uint64) (textPiece, bool) {
	for _, p := range s.all() {
		if p.r.Start <= off && off < p.r.End {
			return p, true
		}
	}
	return textPiece{}, false
}

// HostFile implements memmap.Backing: offsets are the memory file's.
func (s *sharedText) HostFile() platform.HostFile {
	return memmap.Memory{File: s.texts.mem}.HostFile()
}

// IncRef implements memmap.Backing.
func (s *sharedText) IncRef(r memmap.Range) { s.texts.mem.IncRef(memfile.Range(r)) }

// DecRef implements memmap.Backing.
func (s *sharedText) DecRef(r memmap.Range) { s.texts.mem.DecRef(memfile.Range(r)) }

// Window implements memmap.Backing: there is none of patched pages, since whoever
// asks the Sentry is to see the text as it was.
func (s *sharedText) Window(r memmap.Range) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.patches.in(seg.Range{Start: pageDown(r.Start), End: r.End}); len(in) != 0 {
		r.End = in[0]
	}
	if r.End <= r.Start {
		return nil
	}
	return s.texts.mem.Window(memfile.Range(r))
}

// ReadAt implements memmap.Backing.
func (s *sharedText) ReadAt(p []byte, off uint64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.texts.mem.ReadAt(p, off)
	if len(s.patches.pages) != 0 {
		s.patches.hide(off, p[:n])
	}
	return n, nil
}

// WriteAt implements memmap.Backing.
func (s *sharedText) WriteAt([]byte, uint64) (int, error) { return 0, linux.EACCES }

// readFile reads the file itself.
func (s *sharedText) readFile(b []byte, off uint64) int {
	first := pageDown(off)
	last, _ := pageUp(off + uint64(len(b)))
	r := memmap.Range{Start: first, End: last}
	ts, _ := s.file.Translate(r, r, false)
	done := 0
	for _, t := range ts {
		at := off + uint64(done)
		if at < t.Source.Start || at >= t.Source.End {
			continue
		}
		from := t.Offset + (at - t.Source.Start)
		n := min(uint64(len(b)-done), t.Source.End-at)
		held := memmap.Range{Start: pageDown(from)}
		held.End, _ = pageUp(from + n)
		t.File.IncRef(held)
		k, err := t.File.ReadAt(b[done:done+int(n)], from)
		t.File.DecRef(held)
		done += k
		if err != nil || uint64(k) < n {
			break
		}
	}
	return done
}

// current reports whether the file still has the contents that s is of.
func (s *sharedText) current() bool {
	if s.stale.Load() {
		return false
	}
	v, ok := s.file.TextVersion()
	if !ok || v != s.version {
		s.Stale()
	}
	return !s.stale.Load()
}

// grow copies the text around off, of which near is mapped as one.
func (s *sharedText) grow(off uint64, near memmap.Range) linux.Errno {
	if _, ok := s.piece(off); ok {
		return 0
	}
	r := near
	if r.Len() > wholeText {
		at := off &^ (textChunk - 1)
		r = memmap.Range{Start: max(r.Start, at), End: min(r.End, at+textChunk)}
	}
	have := uint64(0)
	for _, p := range s.all() {
		have += p.r.Len()
		if p.r.End <= off {
			r.Start = max(r.Start, p.r.End)
		} else {
			r.End = min(r.End, p.r.Start)
		}
	}
	if off < r.Start || off >= r.End || have+r.Len() > textMax {
		return linux.ENOMEM
	}
	if s.stale.Load() {
		return linux.ESTALE
	}
	if !s.texts.reserve(s, r.Len()) {
		return linux.ENOMEM
	}
	err := s.fill(r)
	if err != 0 {
		s.texts.unreserve(r.Len())
	}
	return err
}

// fillStep is how much is copied at a time.
const fillStep = 128 << 10

// fill adds r to the pieces.
func (s *sharedText) fill(r memmap.Range) linux.Errno {
	mem := s.texts.mem
	to, _, err := mem.Alloc(r.Len(), memfile.Options{Kind: memfile.Hidden})
	if err != 0 {
		return err
	}
	buf := make([]byte, min(r.Len(), fillStep))
	for done := uint64(0); done < r.Len(); {
		b := buf[:min(r.Len()-done, fillStep)]
		n := s.readFile(b, r.Start+done)
		// Behind the file's end its last page is zero; a page more is none of it.
		if len(b)-n >= pageSize || n < len(b) && r.Len()-done > uint64(len(b)) {
			mem.DecRef(to)
			return linux.EIO
		}
		clear(b[n:])
		if err := mem.Fill(b, to.Start+done); err != 0 {
			mem.DecRef(to)
			return err
		}
		done += uint64(len(b))
	}
	mem.Filled(to)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || !s.current() {
		mem.DecRef(to)
		return linux.ESTALE
	}
	for _, p := range s.all() {
		if p.r.Start < r.End && r.Start < p.r.End {
			mem.DecRef(to) // somebody was faster
			return linux.EAGAIN
		}
	}
	next := append(slices.Clone(s.all()), textPiece{r, to.Start})
	slices.SortFunc(next, func(a, b textPiece) int {
		if a.r.Start < b.r.Start {
			return -1
		}
		return 1
	})
	s.pieces.Store(&next)
	return 0
}

// patch is PatchText for the address at.
func (s *sharedText) patch(at uint64, old, new []byte) linux.Errno {
	n := uint64(len(new))
	if n == 0 || n > 8 || len(old) != len(new) || at%line+n > line || at < textBase {
		return linux.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.piece(at - textBase)
	if !ok || s.gone || s.stale.Load() {
		return linux.ESTALE
	}
	off := p.off + (at - textBase - p.r.Start)
	base := wordFor(off)
	b := s.texts.mem.Window(memfile.Range{Start: base, End: base + 8})
	if string(b[off-base:][:n]) != string(old) {
		return linux.EAGAIN
	}
	storeBytes(b, off-base, new)
	q := patch{addr: off, n: uint8(n)}
	copy(q.old[:], old)
	copy(q.new[:], new)
	s.patches.add(q)
	return 0
}

// arenaRange returns where the trampolines are, making room for them first.
func (s *sharedText) arenaRange() (at uint64, err linux.Errno) {
	s.mu.Lock()
	have := s.arena.Len() != 0
	at = s.arenaAt
	s.mu.Unlock()
	if have {
		return at, 0
	}
	below := uint64(arenaBelow)
	var head [18]byte
	if s.readFile(head[:], 0) == len(head) && head[16] == elfExec && string(head[:4]) == "\x7fELF" {
		below = arenaNear
	}
	if s.stale.Load() {
		return 0, linux.ESTALE
	}
	if !s.texts.reserve(s, sharedArena) {
		return 0, linux.ENOMEM
	}
	r, _, err := s.texts.mem.Alloc(sharedArena, memfile.Options{Kind: memfile.Hidden, Recycle: true})
	if err != 0 {
		s.texts.unreserve(sharedArena)
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.arena.Len() != 0 {
		s.texts.unreserve(sharedArena)
		s.texts.mem.DecRef(r)
	}
	if s.gone {
		return 0, linux.ESTALE
	}
	if s.arena.Len() == 0 {
		s.arena, s.arenaAt = r, textBase-below
	}
	return s.arenaAt, 0
}

// elfExec is ET_EXEC, the type of a program that has its addresses.
const elfExec = 2

// arenaWrite stores b at an address in the arena, where nobody runs yet.
func (s *sharedText) arenaWrite(at uint64, b []byte) linux.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	off, n := at-s.arenaAt, uint64(len(b))
	switch {
	case s.gone || s.stale.Load():
		return linux.ESTALE
	case off > s.arena.Len() || n > s.arena.Len()-off:
		return linux.EFAULT
	}
	s.texts.mem.WriteAt(b, s.arena.Start+off)
	return 0
}

// join counts an address space in that wants to map s, if that can be mapped.
func (s *sharedText) join() (arena memfile.Range, at uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.stale.Load() || s.arena.Len() == 0 {
		return arena, 0, false
	}
	s.users++
	s.busy.Store(true)
	s.used.Store(s.texts.clock.Add(1))
	return s.arena, s.arenaAt, true
}

// joinAgain counts a space in that was forked from one that has s.
func (s *sharedText) joinAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// leave ends a join.
func (s *sharedText) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.busy.Store(s.users != 0)
}

// idle returns how much memory there is if no space maps it.
func (s *sharedText) idle() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users != 0 {
		return 0
	}
	n := s.arena.Len()
	for _, p := range s.all() {
		n += p.r.Len()
	}
	return n
}

// release gives the memory back unless some space still maps it, and returns how
// much that was.
func (s *sharedText) release() (n uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users != 0 {
		return 0, false
	}
	s.gone = true
	s.Stale()
	for _, p := range s.all() {
		n += p.r.Len()
		s.texts.mem.DecRef(memfile.Range{Start: p.off, End: p.off + p.r.Len()})
	}
	s.pieces.Store(nil)
	if s.arena.Len() != 0 {
		n += s.arena.Len()
		s.texts.mem.DecRef(s.arena)
		s.arena = memfile.Range{}
	}
	return n, true
}

// at returns where a piece is in an address space: bias is the address of the
// file's first byte.
func (p *textPiece) at(bias uint64) seg.Range {
	return seg.Range{Start: bias + p.r.Start, End: bias + p.r.End}
}
