package memmap

import "sync/atomic"

// A TextSource is a Mappable whose text address spaces may share with changes in it
// that the platform made.
type TextSource interface {
	// Text returns the file itself, or nil.
	Text() TextFile
}

// A TextFile is a file that keeps what is shared of its text.
type TextFile interface {
	Mappable
	TextPlace() *TextPlace
	// TextVersion says which contents the file has: other contents have another
	// version, or TextPlace().Change was called in between. ok is false while
	// contents may change without either.
	TextVersion() (v TextVersion, ok bool)
}

// A TextVersion tells the contents of a file from those that it had before.
type TextVersion struct {
	Size         uint64
	MTime, CTime int64
}

// A SharedText is what is shared of one version of a file.
type SharedText interface {
	// Stale says that the file has other contents now. It is called with any
	// lock held and only makes a note.
	Stale()
	// Version returns the version.
	Version() TextVersion
}

// A TextPlace holds a file's shared text. The zero TextPlace is empty.
type TextPlace struct{ p atomic.Pointer[SharedText] }

// Load returns what is there, or nil.
func (x *TextPlace) Load() SharedText {
	if p := x.p.Load(); p != nil {
		return *p
	}
	return nil
}

// Store puts t in the place of what is there.
func (x *TextPlace) Store(t SharedText) {
	if old := x.p.Swap(&t); old != nil {
		(*old).Stale()
	}
}

// Change takes out what is there, because the file has changed. It reports
// whether there was anything: then address spaces may still have it mapped.
func (x *TextPlace) Change() bool {
	if x.p.Load() == nil {
		return false
	}
	old := x.p.Swap(nil)
	if old == nil {
		return false
	}
	(*old).Stale()
	return true
}
