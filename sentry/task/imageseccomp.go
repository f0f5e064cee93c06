package task

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/sentry/bpf"
)

// FilterImage is a Filter in a checkpoint.
type FilterImage struct {
	Prev checkpoint.Ref
	Prog []byte // struct sock_filter each; none for strict mode
	NNP  bool

	Listener     checkpoint.Ref
	OwnsListener bool
}

func saveFilter(s *checkpoint.Saver, f *Filter) FilterImage {
	return FilterImage{Prev: s.Ref(f.prev), Prog: f.prog.Bytes(), NNP: f.nnp, Listener: s.Ref(f.listener), OwnsListener: f.ownsListener}
}

func loadFilter(l *checkpoint.Loader, f *Filter, im FilterImage) error {
	g := &getter{l: l}
	prev := get[*Filter](g, im.Prev)
	if len(im.Prog) == 0 {
		if prev != nil {
			return cmp.Or(g.err, errImage)
		}
		return g.err
	}
	p, ok := ParseFilter(im.Prog)
	if !ok {
		return cmp.Or(g.err, errImage)
	}
	f.prev, f.prog, f.nnp = prev, p, im.NNP
	f.listener, f.ownsListener = get[*Listener](g, im.Listener), im.OwnsListener
	// The objects before it in the list may be filled later than it.
	l.AfterLoad(func() error { return f.count() })
	return g.err
}

// count fills in what a restored filter's place in its list makes of it.
func (f *Filter) count() error {
	f.insns, f.filters = 0, 0
	for p := f; p != nil; p = p.prev {
		if p.prog == nil || f.insns > maxPathInsns {
			return errImage // not a list, or one without end
		}
		f.filters++
		f.insns += p.prog.KernelLen() + filterSurcharge
	}
	f.insns -= filterSurcharge
	return nil
}

// ParseFilter checks a program given as struct sock_filter, as seccomp(2) does.
func ParseFilter(b []byte) (*bpf.Program, bool) {
	if len(b)%bpf.InstructionSize != 0 {
		return nil, false
	}
	p, e := bpf.CompileSeccomp(bpf.Parse(b))
	return p, e == 0
}
