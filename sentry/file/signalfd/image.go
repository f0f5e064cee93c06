package signalfd

import "cordon/internal/linux"

// Image is a File in a checkpoint; its source is named beside it.
type Image struct{ Mask linux.SigSet }

// Image returns f's image.
func (f *File) Image() Image { return Image{Mask: f.Mask()} }

// Restore makes a File of its image.
func Restore(source Source, im Image) *File { return New(source, im.Mask) }
