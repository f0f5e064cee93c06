package hostfd

// Image is an Inode in a checkpoint: the descriptor comes from the slot.
type Image struct {
	Slot                string
	Session, Foreground int32
}

// Image returns i's image.
func (i *Inode) Image() Image {
	return Image{Slot: i.slot, Session: i.job.Session(), Foreground: i.job.ForegroundGroup()}
}

// Restore gives an inode made by New from the slot what else was saved. Files
// come by Open.
func (i *Inode) Restore(im Image) { i.job.Restore(im.Session, im.Foreground) }
