package mm

import (
	"slices"
	"sync/atomic"

	"cordon/internal/lock"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

const (
	// maxTexts is how much memory shared texts take altogether, idleTexts what
	// those do that no program has mapped.
	maxTexts  = 32 << 20
	idleTexts = 8 << 20
)

// Texts are the shared texts of a sandbox. A text is kept by its file and by Texts,
// until the file changes or others need the memory.
type Texts struct {
	// immutable
	mem *memfile.File

	// atomic
	clock atomic.Uint64

	mu lock.Mutex[lock.SharedTexts]
	// guarded by mu
	list  []*sharedText // that have memory
	bytes uint64
}

// NewTexts returns an empty set of texts with their memory in f.
func NewTexts(f *memfile.File) *Texts { return &Texts{mem: f} }

// Bytes returns how much memory the texts take.
func (x *Texts) Bytes() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bytes
}

func textFile(file memmap.Mappable) memmap.TextFile {
	if s, ok := file.(memmap.TextSource); ok {
		return s.Text()
	}
	return nil
}

// find returns the text of a file's contents if there is one.
func (x *Texts) find(file memmap.Mappable) *sharedText {
	f := textFile(file)
	if f == nil {
		return nil
	}
	s, _ := f.TextPlace().Load().(*sharedText)
	if s == nil || len(s.all()) == 0 {
		return nil // the usual case, for nothing
	}
	if !s.current() {
		f.TextPlace().Change()
		return nil
	}
	return s
}

// provide returns the text of a file's contents, which may have no memory yet, or
// nil where there is none.
func (x *Texts) provide(file memmap.Mappable) *sharedText {
	f := textFile(file)
	if f == nil {
		return nil
	}
	if s, _ := f.TextPlace().Load().(*sharedText); s != nil && s.current() {
		return s
	}
	v, ok := f.TextVersion()
	if !ok {
		f.TextPlace().Change()
		return nil
	}
	s := &sharedText{texts: x, file: f, version: v}
	s.view.sharedText = s
	f.TextPlace().Store(s)
	return s
}

// reserve makes sure that there may be n bytes more. It takes the memory of texts
// that nobody has mapped, if need be.
func (x *Texts) reserve(s *sharedText, n uint64) bool {
	for {
		x.mu.Lock()
		if x.bytes+n <= maxTexts {
			x.bytes += n
			if !slices.Contains(x.list, s) {
				x.list = append(x.list, s)
			}
			x.mu.Unlock()
			return true
		}
		x.mu.Unlock()
		if _, ok := x.drop(s); !ok {
			return false
		}
	}
}

// unreserve takes n bytes back that reserve allowed.
func (x *Texts) unreserve(n uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.bytes -= n
}

// Shrink gives the memory up of all texts that nobody has mapped.
func (x *Texts) Shrink() {
	for {
		if _, ok := x.drop(nil); !ok {
			return
		}
	}
}

// trim drops what is too much of the texts that nobody has mapped.
func (x *Texts) trim() {
	if x.Bytes() <= idleTexts {
		return
	}
	x.mu.Lock()
	list := slices.Clone(x.list)
	x.mu.Unlock()
	var idle uint64
	for _, s := range list {
		idle += s.idle()
	}
	for idle > idleTexts {
		n, ok := x.drop(nil)
		if !ok {
			return
		}
		idle -= min(n, idle)
	}
}

// drop gives the memory up of the text that has not been mapped for longest, but
// not of keep, and returns how much that was.
func (x *Texts) drop(keep *sharedText) (n uint64, ok bool) {
	for {
		x.mu.Lock()
		var oldest *sharedText
		for _, s := range x.list {
			if s != keep && !s.busy.Load() && (oldest == nil || s.used.Load() < oldest.used.Load()) {
				oldest = s
			}
		}
		x.mu.Unlock()
		if oldest == nil {
			return 0, false
		}
		if n, ok = oldest.release(); !ok {
			continue // it has just been mapped
		}
		x.mu.Lock()
		x.bytes -= n
		x.list = slices.DeleteFunc(x.list, func(s *sharedText) bool { return s == oldest })
		x.mu.Unlock()
		return n, true
	}
}
