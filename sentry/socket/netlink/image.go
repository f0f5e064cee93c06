package netlink

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/socket"
)

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("netlink.Socket", saveSocket, loadSocket)}
}

// Image is a Socket in a checkpoint.
type Image struct {
	Base   socket.BaseImage
	Port   uint32
	Groups uint64
	Peer   uint32
	PeerTo uint32
	Queue  [][]byte
	Err    linux.Errno
	Flags  uint16
}

func saveSocket(s *checkpoint.Saver, k *Socket) Image {
	im := Image{Base: k.Base.Image(s, k)}
	k.mu.Lock()
	defer k.mu.Unlock()
	im.Port, im.Groups, im.Peer, im.PeerTo, im.Err, im.Flags = k.port, k.groups, k.peer, k.peerTo, k.err, uint16(k.flags)
	im.Queue = append(im.Queue, k.queue...)
	return im
}

func loadSocket(l *checkpoint.Loader, k *Socket, im Image) error {
	if err := k.Base.Restore(l, k, k, &im.Base); err != nil {
		return err
	}
	k.port, k.groups, k.peer, k.peerTo, k.err, k.flags = im.Port, im.Groups, im.Peer, im.PeerTo, im.Err, flags(im.Flags)
	k.queue = im.Queue
	for _, b := range im.Queue {
		k.bytes += len(b)
	}
	return nil
}
