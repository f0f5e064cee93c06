package overlay

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/fs/mapset"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// A content is where the data of a file are: in a lower file until they have been copied
// to an upper one. Mappings go along. Whose content it is, is what is mapped: the
// methods are told.
type content struct {
	// immutable
	lower vfs.Inode // nil: made here

	// atomic
	upper atomic.Pointer[upperFile]
	maps  mapset.Set // of a file that has lower
}

// upperFile is the copy, or the file made here.
type upperFile struct{ vfs.Inode }

// current returns the Mappable of the layer that has the data.
func (x *content) current() memmap.Mappable {
	if u := x.upper.Load(); u != nil {
		return mappableOf(u.Inode)
	}
	return mappableOf(x.lower)
}

func (x *content) translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	m := x.current()
	if m == nil {
		return nil, linux.EFAULT
	}
	return m.Translate(required, optional, write)
}

// addMapping tells the layer too, with a proxy: what it takes back is to be looked for
// under the owner's name.
func (x *content) addMapping(owner memmap.Mappable, ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	m := x.current()
	if m == nil {
		return linux.ENODEV
	}
	if err := m.AddMapping(proxy{owner, x}, r.Start, r, writable); err != nil {
		return err
	}
	x.maps.Add(ms, addr, r, writable)
	return nil
}

func (x *content) removeMapping(owner memmap.Mappable, ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	x.maps.Remove(ms, addr, r, writable)
	if m := x.current(); m != nil {
		m.RemoveMapping(proxy{owner, x}, r.Start, r, writable)
	}
}

// switchTo makes the data those of u from now on; moved is called at once.
func (x *content) switchTo(owner memmap.Mappable, u vfs.Inode, moved func()) {
	x.upper.Store(&upperFile{u})
	moved()
	if !x.maps.Mapped() {
		return
	}
	// A mapping that is being added now is added to one of the two, and
	// removed from the same: see addMapping.
	lower, upper := mappableOf(x.lower), mappableOf(u)
	x.maps.Each(func(r memmap.Range, writable bool) {
		if upper != nil {
			_ = upper.AddMapping(proxy{owner, x}, r.Start, r, writable)
		}
		if lower != nil {
			lower.RemoveMapping(proxy{owner, x}, r.Start, r, writable)
		}
	})
	x.maps.Invalidate(owner, memmap.Range{End: 1 << 63}, false)
}

// proxy is a content's mappings as a layer sees them: addresses are offsets.
type proxy struct {
	owner memmap.Mappable
	x     *content
}

func (p proxy) Invalidate(_ memmap.Mappable, addr, n uint64, andPrivate bool) {
	p.x.maps.Invalidate(p.owner, memmap.Range{Start: addr, End: addr + n}, andPrivate)
}

func mappableOf(i vfs.Inode) memmap.Mappable {
	if m, ok := i.(vfs.Mapped); ok {
		return m.Mappable()
	}
	return nil
}
