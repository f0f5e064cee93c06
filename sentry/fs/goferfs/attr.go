package goferfs

import (
	"cordon/gofer/client"
	"cordon/gofer/donate"
)

// attrs is what an Inode was told of itself.
type attrs struct {
	packed donate.Packed // but for nlink, if there is full
	full   *client.Attr
}

func (x *attrs) set(a *client.Attr, dev uint64) {
	p, exact := donate.Pack(a, dev)
	x.packed, x.full = p, nil
	if !exact {
		full := plain(a)
		x.full = &full
	}
}

func (x *attrs) get(dev uint64) client.Attr {
	if x.full == nil {
		return x.packed.Unpack(dev)
	}
	a := *x.full
	a.Nlink = x.packed.Nlink
	return a
}
