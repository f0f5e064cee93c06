package loader

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform/arch"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

// A VDSO is the shared object that the kernel gives every program, with its
// page of clock parameters (vdso(7)). Both are pages of the memory file, mapped
// read-only into every address space and never freed. Programs in a time namespace
// have a page of their own kind in place of the parameters'.
type VDSO struct {
	// immutable
	image  *staticPages
	params *staticPages

	mu lock.Mutex[lock.TimePages]
	// guarded by mu
	pages map[*task.TimeNamespace]*timePage
	last  arch.VVAR // that was published
}

// NewVDSO makes the pages.
func NewVDSO(mem *memfile.File) (*VDSO, linux.Errno) {
	code := arch.VDSO()
	image, e := newStaticPages(mem, code)
	if e != 0 {
		return nil, e
	}
	params, e := newStaticPages(mem, make([]byte, arch.VVARSize))
	if e != 0 {
		return nil, e
	}
	return &VDSO{image: image, params: params, pages: map[*task.TimeNamespace]*timePage{}}, 0
}

// mapInto maps the parameters and, right behind them, the object; it returns
// the object's address. The clocks are those of n.
func (v *VDSO) mapInto(m *mm.MemoryManager, n *task.TimeNamespace) (uint64, error) {
	params, err := v.pageOf(n)
	if err != nil {
		return 0, err
	}
	defer v.letGo(params)
	np, ni := v.params.file.Len(), v.image.file.Len()
	at, err := findRange(m, np+ni, pageSize, false)
	if err != nil {
		return 0, err
	}
	flags := linux.MAP_SHARED | linux.MAP_FIXED
	if _, err := m.MMap(nil, mm.MMapOpts{Addr: at, Len: np, Prot: linux.PROT_READ, Flags: flags,
		Mappable: params, MaxProt: linux.PROT_READ, Name: "[vvar]"}); err != nil {
		return 0, err
	}
	rx := linux.PROT_READ | linux.PROT_EXEC
	if _, err := m.MMap(nil, mm.MMapOpts{Addr: at + np, Len: ni, Prot: rx, Flags: flags,
		Mappable: v.image, MaxProt: rx, Name: "[vdso]"}); err != nil {
		return 0, err
	}
	return at + np, nil
}

// staticPages are pages that live as long as the sandbox, as a Mappable.
type staticPages struct {
	// immutable
	mem  memmap.Memory
	file memmap.Range // in mem
}

func newStaticPages(mem *memfile.File, content []byte) (*staticPages, linux.Errno) {
	r, e := mem.AllocPages(roundUp(uint64(len(content))), memfile.Kernel)
	if e != 0 {
		return nil, e
	}
	p := &staticPages{mem: memmap.Memory{File: mem}, file: memmap.Range(r)}
	copy(mem.Window(r), content)
	mem.Filled(r) // nobody needs to ask, at every exit
	return p, 0
}

// Translate implements memmap.Mappable.
func (p *staticPages) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	if required.End > p.file.Len() {
		return nil, linux.EFAULT
	}
	r := memmap.Range{Start: optional.Start, End: min(optional.End, p.file.Len())}
	return []memmap.Translation{{Source: r, File: p.mem, Offset: p.file.Start + r.Start}}, nil
}

// AddMapping implements memmap.Mappable: the pages never move.
func (p *staticPages) AddMapping(memmap.MappingSpace, uint64, memmap.Range, bool) error { return nil }

// RemoveMapping implements memmap.Mappable.
func (p *staticPages) RemoveMapping(memmap.MappingSpace, uint64, memmap.Range, bool) {}
