package vfs

import (
	"sync/atomic"

	"cordon/internal/linux"
)

// Lent flags. Programs that open many files ask for their flags and turn O_NONBLOCK on
// and off each time (Go's does, five calls a file), and those that write with care have
// files in memory written back, which is nothing. A platform that can answers that in the guest's address space, from words that guest and Sentry share, one for each of a
// table's lowest descriptors. While a description is lent to one, its O_NONBLOCK is what
// the word says: whoever asks for its flags, by whatever descriptor of whatever process,
// looks there. The guest may write there what it likes: nothing but that bit is
// believed, and it is the guest's to choose by F_SETFL anyway.
//
// Only descriptions that nobody waits for are lent.

// Bits of a word; those below are linux.OpenFlags. Between them is the number of the loan,
// by which one word's users are told apart.
const (
	lentMemory = 1 << 23 // there is nothing to write back
	lentNumber = 1 << 24
	lentOpen   = 1 << 30 // the descriptor is open, and not by O_PATH
	lentFlags  = 1 << 31 // the word has the flags of its description

	lentNumbers = lentOpen - lentNumber
)

// maxCatch is how often a word is tried to be taken back that a guest changes all the
// time. After that, what it says last goes.
const maxCatch = 100

// LendFlags has the guest whose words these are answer for the lowest descriptors of t.
// It is false when t is lent to another.
func (t *FDTable) LendFlags(words []uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.words == nil {
		t.words = words
		for fd, s := 0, *t.slots.Load(); fd < min(len(s), len(words)); fd++ {
			if d := s[fd].Load(); d != nil {
				t.lendLocked(fd, d)
			}
		}
	}
	return &t.words[0] == &words[0]
}

// RecallFlags ends what LendFlags began.
func (t *FDTable) RecallFlags(words []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.words == nil || &t.words[0] != &words[0] {
		return
	}
	for fd, s := 0, *t.slots.Load(); fd < min(len(s), len(words)); fd++ {
		if d := s[fd].Load(); d != nil {
			t.recallLocked(fd, d)
		}
	}
	t.words = nil
}

// lendLocked lends d, which is at fd.
func (t *FDTable) lendLocked(fd int, d *Description) {
	if fd >= len(t.words) || d.PathOnly() {
		return
	}
	w := &t.words[fd]
	v := uint32(lentOpen)
	if _, ok := d.file.(InMemory); ok {
		v |= lentMemory
	}
	_, waits := d.file.(Poller)
	_, told := d.file.(FlagSetter)
	if waits || told || !d.lent.CompareAndSwap(nil, w) {
		atomic.StoreUint32(w, v)
		return
	}
	t.loans++
	atomic.StoreUint32(w, v|lentFlags|t.loans*lentNumber&lentNumbers|d.flags.Load())
}

// recallLocked takes d, which was at fd, back.
func (t *FDTable) recallLocked(fd int, d *Description) {
	if fd >= len(t.words) {
		return
	}
	w := &t.words[fd]
	if d.lent.Load() != w {
		atomic.StoreUint32(w, 0)
		return
	}
	// At any moment who looks finds the flags in the word or, where it is 0, in
	// d.flags.
	for range maxCatch {
		v := atomic.LoadUint32(w)
		for {
			f := d.flags.Load()
			if d.flags.CompareAndSwap(f, withLent(f, v)) {
				break
			}
		}
		if atomic.CompareAndSwapUint32(w, v, 0) {
			break
		}
	}
	atomic.StoreUint32(w, 0)
	d.lent.Store(nil)
}

// withLent returns flags with what a word that says v has to say.
func withLent(flags, v uint32) uint32 {
	if v&lentFlags == 0 {
		return flags
	}
	return flags&^uint32(linux.O_NONBLOCK) | v&uint32(linux.O_NONBLOCK)
}

// lentWord returns the word that d is lent to, and what it says. It is nil where d is not.
func (d *Description) lentWord() (w *uint32, v uint32) {
	if w = d.lent.Load(); w == nil {
		return nil, 0
	}
	v = atomic.LoadUint32(w)
	if d.lent.Load() != w { // it may be another's by then
		return nil, 0
	}
	return w, v
}

// storeFlags sets the flags of d. The word comes first, for whoever takes it back
// meanwhile, and last, for whoever lends it.
func (d *Description) storeFlags(f linux.OpenFlags) {
	d.tellWord(f)
	d.flags.Store(uint32(f))
	d.tellWord(f)
}

func (d *Description) tellWord(f linux.OpenFlags) {
	for range maxCatch {
		w, v := d.lentWord()
		if w == nil || v&lentFlags == 0 || atomic.CompareAndSwapUint32(w, v, v&(lentFlags|lentOpen|lentNumbers|lentMemory)|uint32(f)) {
			return
		}
	}
}
