package signal

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
)

// ActionsImage is Actions in a checkpoint, SIGHUP first.
type ActionsImage struct {
	Acts []linux.SigAction
}

// Kinds lists the objects of this package for a checkpoint. A Pending is part
// of its owner's image.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("signal.Actions",
		func(_ *checkpoint.Saver, a *Actions) ActionsImage { return ActionsImage{a.All()} },
		func(_ *checkpoint.Loader, a *Actions, im ActionsImage) error {
			for s := range im.Acts[:min(len(im.Acts), linux.NSIG)] {
				a.Set(linux.Signal(s+1), im.Acts[s])
			}
			return nil
		})}
}
