package overlay

import (
	"bytes"
	"math"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// wholeFile is a size limit for copyUp that copies everything.
const wholeFile = math.MaxUint64

// copyChunk is how much is copied at once.
const copyChunk = 256 << 10

// copyUp makes in have an upper file, with at most limit bytes of the lower
// file's data: the caller truncates it to that. charge is who pays for it; nil:
// nobody.
func (in *Inode) copyUp(limit uint64, charge vfs.Charger) error {
	if in.upper.Load() != nil {
		return nil
	}
	if err := in.differ(); err != nil {
		return err
	}
	in.copying.Lock()
	defer in.copying.Unlock()
	if in.upper.Load() != nil {
		return nil
	}
	in.mu.Lock()
	a, xattrs := *in.own, in.xattrs
	in.mu.Unlock()
	u, err := in.fs.store.CreateTemp(&vfs.NewInode{Mode: a.Mode, UID: a.UID, GID: a.GID, Charge: charge})
	if err != nil {
		return err
	}
	vfs.HoldInode(u)
	if err := in.fill(u, limit, &a, xattrs); err != nil {
		vfs.DropInode(u)
		return err
	}
	in.switchTo(in, u, func() {
		in.mu.Lock()
		in.own, in.xattrs = nil, nil
		in.mu.Unlock()
	})
	return nil
}

// fill copies data and metadata to u.
func (in *Inode) fill(u vfs.Inode, limit uint64, a *vfs.Attr, xattrs map[string][]byte) error {
	if err := copyData(in.lower, u, limit); err != nil {
		return err
	}
	if s, ok := u.(vfs.XattrStore); ok {
		for n, v := range xattrs {
			if err := s.SetXattr(n, v, 0); err != nil {
				return err
			}
		}
	}
	// Last: writing has changed the times, and may have cleared set-ID bits.
	return u.SetAttr(&vfs.SetAttr{
		Mask: vfs.SetMode | vfs.SetATime | vfs.SetMTime, Mode: a.Mode.PermAndSticky(), ATime: a.ATime, MTime: a.MTime,
	})
}

// copyData copies the lower file's data to u, leaving out what is zero.
func copyData(lower, u vfs.Inode, limit uint64) error {
	a, err := lower.Attr()
	if err != nil {
		return err
	}
	size := min(a.Size, limit)
	if size == 0 {
		return nil
	}
	from, err := lower.Open(nil, vfs.Path{}, linux.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Release()
	to, err := u.Open(nil, vfs.Path{}, linux.O_WRONLY)
	if err != nil {
		return err
	}
	defer to.Release()
	r, rok := from.(vfs.ReaderAt)
	w, wok := to.(vfs.WriterAt)
	if !rok || !wok {
		return linux.EIO
	}
	if err := u.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: size}); err != nil {
		return err
	}
	buf := make([]byte, min(copyChunk, size))
	zero := make([]byte, len(buf))
	for off := uint64(0); off < size; {
		b := buf[:min(uint64(len(buf)), size-off)]
		dst := usermem.OfBytes(b)
		n, err := r.ReadAt(&dst, int64(off))
		if err != nil {
			return err
		}
		if n == 0 {
			return nil // it has become shorter
		}
		if !bytes.Equal(b[:n], zero[:n]) {
			src := usermem.OfBytes(b[:n])
			for src.Len() > 0 {
				k, err := w.WriteAt(&src, int64(off)+int64(n)-int64(src.Len()))
				if err != nil {
					return err
				}
				if k == 0 {
					return linux.EIO
				}
			}
		}
		off += uint64(n)
	}
	return nil
}
