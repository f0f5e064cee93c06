package eventfd

// Image is an Event in a checkpoint.
type Image struct {
	Count     uint64
	Semaphore bool
}

// Image returns e's image.
func (e *Event) Image() Image {
	n, s := e.Count()
	return Image{Count: n, Semaphore: s}
}

// Restore makes an Event of its image.
func Restore(im Image) *Event { return &Event{semaphore: im.Semaphore, count: im.Count} }
