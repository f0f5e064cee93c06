package goferfs

import (
	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
)

// attrs is what an Inode was told of itself, but for what it has apart: identity,
// size and time of birth.
type attrs struct {
	blocks              uint64
	atime, mtime, ctime int64 // nanoseconds
	mode, nlink         uint32
	uid, gid            uint32
	blksize, attributes uint32
	full                *client.Attr // where these cannot say it; nlink is right all the same
}

func (in *Inode) setAttrLocked(a *client.Attr) {
	p, exact := donate.Pack(a, in.key.dev)
	x := &in.attr
	*x = attrs{
		blocks: p.Blocks, atime: p.Atime, mtime: p.Mtime, ctime: p.Ctime, mode: p.Mode, nlink: p.Nlink,
		uid: p.UID, gid: p.GID, blksize: p.Blksize, attributes: p.Attributes,
	}
	if !exact {
		full := plain(a)
		x.full = &full
	}
}

// attrLocked returns what was told, with the size of now.
func (in *Inode) attrLocked() client.Attr {
	x := &in.attr
	if x.full != nil {
		a := *x.full
		a.Nlink, a.Size = x.nlink, in.size.Load()
		return a
	}
	return client.Attr{
		Dev: in.key.dev, Ino: in.key.ino, Mode: linux.FileMode(x.mode), Nlink: x.nlink, UID: x.uid, GID: x.gid,
		Size: in.size.Load(), Blocks: x.blocks, Blksize: x.blksize,
		Atime: donate.TimeFromNS(x.atime), Mtime: donate.TimeFromNS(x.mtime), Ctime: donate.TimeFromNS(x.ctime), Btime: donate.TimeFromNS(in.born),
		Attributes: linux.StatxAttr(x.attributes),
	}
}
