package vfs

import (
	"math"

	"cordon/internal/linux"
)

// SeekTo is lseek(2).
func (d *Description) SeekTo(off int64, whence linux.Whence) (int64, error) {
	if d.PathOnly() {
		return 0, linux.EBADF
	}
	if whence < linux.SEEK_SET || whence > linux.SEEK_HOLE {
		return 0, linux.EINVAL
	}
	d.pos.Lock()
	defer d.pos.Unlock()
	if s, ok := d.file.(Seeker); ok {
		n, err := s.SeekTo(off, int(whence), d.off)
		if err == nil {
			d.off = n
		}
		return n, err
	}
	if d.mode&seekable == 0 {
		return 0, linux.ESPIPE
	}
	n, err := d.seekBySize(off, whence)
	if err == nil {
		d.off = n
	}
	return n, err
}

func (d *Description) seekBySize(off int64, whence linux.Whence) (int64, error) {
	base := int64(0)
	switch whence {
	case linux.SEEK_CUR:
		base = d.off
	case linux.SEEK_END, linux.SEEK_DATA, linux.SEEK_HOLE:
		a, err := d.Inode().Attr()
		if err != nil {
			return 0, err
		}
		size := int64(a.Size)
		if whence == linux.SEEK_END {
			base = size
			break
		}
		if off < 0 || off >= size {
			return 0, linux.ENXIO
		}
		if whence == linux.SEEK_HOLE {
			return size, nil
		}
		return off, nil
	}
	if off > 0 && base > math.MaxInt64-off {
		return 0, linux.EINVAL
	}
	if base+off < 0 {
		return 0, linux.EINVAL
	}
	return base + off, nil
}
