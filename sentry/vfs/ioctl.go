package vfs

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

// Ioctl is ioctl(2) but for what concerns the descriptor (FIOCLEX, FIONCLEX).
func (d *Description) Ioctl(c *Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	if d.PathOnly() {
		return 0, linux.EBADF
	}
	switch linux.IoctlCmd(req) {
	case linux.FIONBIO:
		return 0, d.flagByInt(c, mem, arg, linux.O_NONBLOCK)
	case linux.FIOASYNC:
		return 0, d.flagByInt(c, mem, arg, linux.O_ASYNC)
	case linux.FIOQSIZE:
		switch d.path.Dentry.kind {
		case linux.S_IFREG, linux.S_IFDIR, linux.S_IFLNK:
			a, err := d.Inode().Attr()
			if err != nil {
				return 0, err
			}
			return 0, putInt(mem, arg, a.Blocks*512, 8)
		}
		return 0, linux.ENOTTY
	case linux.FIONREAD:
		if d.path.Dentry.kind == linux.S_IFREG {
			if _, ok := d.file.(Ioctler); !ok {
				a, err := d.Inode().Attr()
				if err != nil {
					return 0, err
				}
				return 0, putInt(mem, arg, a.Size-uint64(d.Offset()), 4)
			}
		}
	}
	if i, ok := d.file.(Ioctler); ok {
		return i.Ioctl(c, mem, req, arg)
	}
	return 0, linux.ENOTTY
}

func (d *Description) flagByInt(c *Caller, mem usermem.Space, arg uint64, flag linux.OpenFlags) error {
	var b [4]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return err
	}
	f := d.Flags() &^ flag
	if binary.LittleEndian.Uint32(b[:]) != 0 {
		f |= flag
	}
	return d.SetFlags(c, f)
}

func putInt(mem usermem.Space, addr, v uint64, size int) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	_, err := mem.CopyOut(addr, b[:size])
	return err
}
