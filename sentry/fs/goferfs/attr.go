package goferfs

import (
	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
)

// packedAttr is a client.Attr in as little memory as most need.
type packedAttr struct {
	ino, size, blocks          uint64
	atime, mtime, ctime, btime int64 // nanoseconds
	mode, nlink, uid, gid      uint32
	blksize, attributes        uint32
}

// pack returns a, of an inode on device dev, and also as it is where packedAttr
// cannot say it.
func pack(a *client.Attr, dev uint64) (packedAttr, *client.Attr) {
	p := packedAttr{
		ino: a.Ino, size: a.Size, blocks: a.Blocks, atime: a.Atime.NS(), mtime: a.Mtime.NS(), ctime: a.Ctime.NS(), btime: a.Btime.NS(),
		mode: uint32(a.Mode), nlink: a.Nlink, uid: a.UID, gid: a.GID, blksize: a.Blksize, attributes: uint32(a.Attributes),
	}
	full := plain(a)
	if p.unpack(dev) == full {
		return p, nil
	}
	return p, &full
}

// plain is a without what nobody asks for.
func plain(a *client.Attr) client.Attr {
	b := *a
	b.MountID, b.AttributesMask = 0, 0
	return b
}

// unpack undoes pack.
func (p *packedAttr) unpack(dev uint64) client.Attr {
	return client.Attr{
		Dev: dev, Ino: p.ino, Mode: linux.FileMode(p.mode), Nlink: p.nlink, UID: p.uid, GID: p.gid,
		Size: p.size, Blocks: p.blocks, Blksize: p.blksize,
		Atime: donate.TimeFromNS(p.atime), Mtime: donate.TimeFromNS(p.mtime), Ctime: donate.TimeFromNS(p.ctime), Btime: donate.TimeFromNS(p.btime),
		Attributes: linux.StatxAttr(p.attributes),
	}
}

// attrs is what an Inode was told of itself.
type attrs struct {
	packed packedAttr // but for nlink, if there is full
	full   *client.Attr
}

func (x *attrs) set(a *client.Attr, dev uint64) { x.packed, x.full = pack(a, dev) }

func (x *attrs) get(dev uint64) client.Attr {
	if x.full == nil {
		return x.packed.unpack(dev)
	}
	a := *x.full
	a.Nlink = x.packed.nlink
	return a
}
