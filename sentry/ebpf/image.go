package ebpf

import (
	"errors"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

var errImage = errors.New("ebpf: no such program can have been saved")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("ebpf.Programs", savePrograms, loadPrograms),
		checkpoint.Object("ebpf.Program", saveProgram, loadProgram),
	}
}

// ProgramsImage is a Programs in a checkpoint: each program adds itself.
type ProgramsImage struct{ LastID uint32 }

func savePrograms(_ *checkpoint.Saver, a *Programs) ProgramsImage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return ProgramsImage{a.lastID}
}

func loadPrograms(_ *checkpoint.Loader, a *Programs, im ProgramsImage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastID = im.LastID
	return nil
}

// ProgramImage is a Program in a checkpoint.
type ProgramImage struct {
	All    checkpoint.Ref
	Type   linux.BPFProgType
	ID     uint32
	Insns  []byte
	Name   [linux.BPF_OBJ_NAME_LEN]byte
	GPL    bool
	Loaded int64
	UID    uint32
	Refs   int32
}

func saveProgram(s *checkpoint.Saver, p *Program) ProgramImage {
	return ProgramImage{s.Ref(p.all), p.kind, p.id, p.Insns(), p.name, p.gpl, p.loaded, p.uid, p.refs.Load()}
}

func loadProgram(l *checkpoint.Loader, p *Program, im ProgramImage) (err error) {
	if p.all, err = checkpoint.Get[*Programs](l, im.All); err != nil {
		return err
	}
	p.kind, p.id, p.ins, p.name, p.gpl, p.loaded, p.uid = im.Type, im.ID, parse(im.Insns), im.Name, im.GPL, im.Loaded, im.UID
	if p.all == nil || len(p.ins) == 0 || verify(p.kind, p.ins) != nil {
		return errImage
	}
	p.refs.Store(im.Refs)
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.all.addLocked(p)
	return nil
}
