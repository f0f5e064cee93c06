package loader

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/memmap"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

// A timePage is the clock parameters as a time namespace shows them. It lives as
// long as it is mapped.
type timePage struct {
	// immutable
	vdso *VDSO
	ns   *task.TimeNamespace
	staticPages

	// guarded by vdso.mu
	uses int64 // bytes mapped, and who is about to map it
}

// Publish tells guests new parameters, whose clocks are those of the first time
// namespace.
func (v *VDSO) Publish(p *arch.VVAR) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = *p
	arch.UpdateParams(v.params.mem.Window(v.params.file), p)
	for _, page := range v.pages {
		page.updateLocked()
	}
}

// updateLocked writes the parameters with the namespace's offsets.
func (p *timePage) updateLocked() {
	p.vdso.mu.AssertHeld()
	v, o := p.vdso.last, p.ns.Offsets()
	for id := range v.Clocks {
		c := &v.Clocks[id]
		switch linux.ClockID(id) {
		case linux.CLOCK_MONOTONIC, linux.CLOCK_MONOTONIC_RAW, linux.CLOCK_MONOTONIC_COARSE:
			c.Shift(o.Monotonic)
		case linux.CLOCK_BOOTTIME:
			c.Shift(o.Boottime)
		}
	}
	arch.UpdateParams(p.mem.Window(p.file), &v)
}

// pageOf returns what shows n's clocks, with a use that the caller lets go.
func (v *VDSO) pageOf(n *task.TimeNamespace) (memmap.Mappable, error) {
	if n == nil {
		return v.params, nil
	}
	n.Freeze()
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.pages[n]
	if p == nil {
		pages, e := newStaticPages(v.params.mem.File, make([]byte, arch.VVARSize))
		if e != 0 {
			return nil, e
		}
		p = &timePage{vdso: v, ns: n, staticPages: *pages}
		v.pages[n] = p
		p.updateLocked()
	}
	p.uses++
	return p, nil
}

// letGo ends the use that pageOf began.
func (v *VDSO) letGo(m memmap.Mappable) {
	if p, ok := m.(*timePage); ok {
		p.use(-1)
	}
}

func (p *timePage) use(n int64) {
	p.vdso.mu.Lock()
	defer p.vdso.mu.Unlock()
	if p.uses += n; p.uses == 0 {
		delete(p.vdso.pages, p.ns)
		p.mem.DecRef(p.file)
	}
}

// AddMapping implements memmap.Mappable.
func (p *timePage) AddMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) error {
	p.use(int64(r.Len()))
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (p *timePage) RemoveMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) {
	p.use(-int64(r.Len()))
}

// Retime implements task.Retimer.
func (l *Loader) Retime(m *mm.MemoryManager, n *task.TimeNamespace) error {
	to, err := l.vdso.pageOf(n)
	if err != nil {
		return err
	}
	defer l.vdso.letGo(to)
	return m.Rebind(nil, func(f memmap.Mappable) bool {
		p, ok := f.(*timePage)
		return f == memmap.Mappable(l.vdso.params) || ok && p.vdso == l.vdso
	}, to)
}

// timeNS is the time namespace that the program will be in: the loading task's one
// for children (Linux: exec_task_namespaces).
func (b *builder) timeNS() *task.TimeNamespace {
	if n := b.t.Namespaces(); n != nil {
		return n.TimeForChildren
	}
	return nil
}

// TimePageImage is a timePage in a checkpoint. Its uses are counted again as it is
// mapped.
type TimePageImage struct {
	VDSO, NS checkpoint.Ref
	PagesImage
}

func saveTimePage(s *checkpoint.Saver, p *timePage) TimePageImage {
	return TimePageImage{s.Ref(p.vdso), s.Ref(p.ns), savePages(s, &p.staticPages)}
}

func loadTimePage(l *checkpoint.Loader, p *timePage, im TimePageImage) (err error) {
	var err2 error
	p.vdso, err = checkpoint.Get[*VDSO](l, im.VDSO)
	p.ns, err2 = checkpoint.Get[*task.TimeNamespace](l, im.NS)
	if err = cmp.Or(err, err2, loadPages(l, &p.staticPages, im.PagesImage)); err != nil {
		return err
	}
	if p.vdso == nil || p.ns == nil || p.file.Len() != arch.VVARSize {
		return errImage
	}
	l.AfterLoad(func() error {
		if p.vdso.pages[p.ns] != nil {
			return errImage
		}
		p.vdso.pages[p.ns] = p
		return nil
	})
	return nil
}
