package tun

import (
	"errors"

	"cordon/checkpoint"
	"cordon/sentry/socket"
)

var errImage = errors.New("interfaces of programs that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("tun.File", saveFile, loadFile)}
}

// Image is a File in a checkpoint.
type Image struct {
	NS      checkpoint.Ref
	At      checkpoint.Ref // the namespace of its interface
	Index   int32          // 0: none, or none any more
	Waiting [][]byte
}

func saveFile(s *checkpoint.Saver, f *File) Image {
	im := Image{NS: s.Ref(f.ns)}
	if t := f.of(); t != nil {
		stack, index := t.Where()
		if n, ok := stack.Owner().(*socket.Namespace); ok {
			im.At, im.Index, im.Waiting = s.Ref(n), index, t.Waiting()
		}
	}
	return im
}

func loadFile(l *checkpoint.Loader, f *File, im Image) error {
	var err error
	if f.ns, err = checkpoint.Get[*socket.Namespace](l, im.NS); err != nil || f.ns == nil {
		return errImage
	}
	if im.Index == 0 {
		return nil
	}
	at, err := checkpoint.Get[*socket.Namespace](l, im.At)
	if err != nil || at == nil {
		return errImage
	}
	l.AfterLoad(func() error {
		if at.Stack == nil {
			return errImage
		}
		t := at.Stack.TunOf(im.Index)
		if t == nil || t.Attach(f.changed) != nil {
			return errImage
		}
		t.Refill(im.Waiting)
		f.tun = t
		return nil
	})
	return nil
}
