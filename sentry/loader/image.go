package loader

import (
	"errors"

	"cordon/checkpoint"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

var errImage = errors.New("a vDSO that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("loader.Loader", saveLoader, loadLoader),
		checkpoint.Object("loader.VDSO", saveVDSO, loadVDSO),
		checkpoint.Object("loader.staticPages", savePages, loadPages),
		checkpoint.Object("loader.timePage", saveTimePage, loadTimePage),
	}
}

// Saved implements vfs.Alias: a Loader goes into checkpoints.
func (l *Loader) Saved() any { return l }

// VDSO returns what New was given.
func (l *Loader) VDSO() *VDSO { return l.vdso }

// LoaderImage is a Loader in a checkpoint.
type LoaderImage struct{ VDSO checkpoint.Ref }

func saveLoader(s *checkpoint.Saver, d *Loader) LoaderImage { return LoaderImage{s.Ref(d.vdso)} }

func loadLoader(l *checkpoint.Loader, d *Loader, im LoaderImage) (err error) {
	d.vdso, err = checkpoint.Get[*VDSO](l, im.VDSO)
	return err
}

// VDSOImage is a VDSO in a checkpoint: guests go on with the object that they
// have mapped.
type VDSOImage struct{ Image, Params checkpoint.Ref }

func saveVDSO(s *checkpoint.Saver, v *VDSO) VDSOImage {
	return VDSOImage{s.Ref(v.image), s.Ref(v.params)}
}

func loadVDSO(l *checkpoint.Loader, v *VDSO, im VDSOImage) (err error) {
	if v.image, err = checkpoint.Get[*staticPages](l, im.Image); err != nil {
		return err
	}
	v.pages = map[*task.TimeNamespace]*timePage{}
	if v.params, err = checkpoint.Get[*staticPages](l, im.Params); err == nil && (v.image == nil || v.params == nil) {
		err = errImage
	}
	return err
}

// PagesImage is staticPages in a checkpoint.
type PagesImage struct {
	Mem  string
	File memmap.Range
}

func savePages(s *checkpoint.Saver, p *staticPages) PagesImage {
	return PagesImage{s.Slot(mm.SlotMemory), p.file}
}

func loadPages(l *checkpoint.Loader, p *staticPages, im PagesImage) error {
	v, _ := l.Slot(im.Mem)
	mem, ok := v.(*memfile.File)
	if !ok || mem.Claim(memfile.Range(im.File), memfile.Kernel) != 0 {
		return errImage
	}
	p.mem, p.file = memmap.Memory{File: mem}, im.File
	return nil
}
