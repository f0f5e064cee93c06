package signalfd

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
)

// SavedFile is a File with its source in a checkpoint.
type SavedFile struct {
	Source checkpoint.Ref
	File   Image
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("signalfd.File",
		func(s *checkpoint.Saver, f *File) SavedFile { return SavedFile{s.Ref(f.source), f.Image()} },
		func(l *checkpoint.Loader, f *File, im SavedFile) (err error) {
			if f.source, err = checkpoint.Get[Source](l, im.Source); err != nil || f.source == nil {
				return linux.EINVAL
			}
			f.mask.Store(uint64(im.File.Mask))
			return nil
		})}
}
