package hostinet

import (
	"errors"

	"cordon/checkpoint"
)

var errHost = errors.New("a socket of the host's network cannot be saved")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("hostinet.Socket", saveSocket, loadSocket)}
}

// Image is a Socket in a checkpoint, which there is none of: what it is connected to stays on its host.
type Image struct{}

func saveSocket(s *checkpoint.Saver, _ *Socket) Image {
	s.Fail(errHost)
	return Image{}
}

func loadSocket(*checkpoint.Loader, *Socket, Image) error { return errHost }
