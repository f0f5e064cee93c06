package eventfd

import "cordon/checkpoint"

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("eventfd.Event",
		func(_ *checkpoint.Saver, e *Event) Image { return e.Image() },
		func(_ *checkpoint.Loader, e *Event, im Image) error {
			e.semaphore, e.count = im.Semaphore, im.Count
			return nil
		})}
}
