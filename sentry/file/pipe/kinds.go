package pipe

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("pipe.Pipe",
			func(_ *checkpoint.Saver, p *Pipe) Image { return p.Image() },
			func(_ *checkpoint.Loader, p *Pipe, im Image) error { return p.fill(&im) }),
		checkpoint.Object("pipe.End", saveEnd, loadEnd),
	}
}

// SavedEnd is an End with its pipe in a checkpoint.
type SavedEnd struct {
	Pipe checkpoint.Ref
	End  EndImage
}

func saveEnd(s *checkpoint.Saver, e *End) SavedEnd { return SavedEnd{s.Ref(e.pipe), e.Image()} }

func loadEnd(l *checkpoint.Loader, e *End, im SavedEnd) error {
	p, err := checkpoint.Get[*Pipe](l, im.Pipe)
	if err != nil || p == nil {
		return linux.EINVAL
	}
	e.fill(p, im.End)
	return nil
}

// OpenAgain implements vfs.AnonReopener.
func (e *End) OpenAgain(_ *vfs.Caller, flags linux.OpenFlags) (vfs.File, error) {
	return e.Reopen(flags)
}
