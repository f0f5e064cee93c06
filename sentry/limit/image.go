package limit

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
)

// Image is a Set in a checkpoint.
type Image struct {
	Limits [linux.RLIM_NLIMITS]linux.Rlimit
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("limit.Set",
		func(_ *checkpoint.Saver, s *Set) Image { return Image{s.All()} },
		func(_ *checkpoint.Loader, s *Set, im Image) error {
			s.fill(im.Limits)
			return nil
		})}
}
