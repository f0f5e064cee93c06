package devfs

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Options are what the devices need.
type Options struct {
	// Random fills its argument.
	Random func([]byte)
	// Memory is where mappings of /dev/zero have their pages; an instance
	// that need not be mounted.
	Memory *tmpfs.FS
	// Console opens /dev/console; nil: there is none (ENXIO... as ENODEV).
	Console vfs.DeviceOpener
}

// A TTYOpener is a vfs.TTY that /dev/tty can open.
type TTYOpener interface {
	OpenTTY(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error)
}

// Register makes the devices openable.
func Register(v *vfs.VFS, o Options) {
	char := func(major, minor uint32, open func(flags linux.OpenFlags) vfs.File) {
		v.RegisterDevice(linux.S_IFCHR, major, minor, func(_ *vfs.Caller, _ vfs.Path, f linux.OpenFlags) (vfs.File, error) {
			return open(f), nil
		})
	}
	v.RegisterMajor(linux.S_IFCHR, 1, "mem", nil)
	v.RegisterMajor(linux.S_IFCHR, 5, "/dev/tty", nil)
	char(1, 3, func(linux.OpenFlags) vfs.File { return nullFile{} })
	char(1, 5, func(linux.OpenFlags) vfs.File { return zeroFile{memory: o.Memory} })
	char(1, 7, func(linux.OpenFlags) vfs.File { return fullFile{zeroFile{memory: o.Memory}} })
	char(1, 8, func(linux.OpenFlags) vfs.File { return randomFile{o.Random} })
	char(1, 9, func(linux.OpenFlags) vfs.File { return randomFile{o.Random} })
	v.RegisterDevice(linux.S_IFCHR, 5, 0, openTTY)
	if o.Console != nil {
		v.RegisterDevice(linux.S_IFCHR, 5, 1, o.Console)
	}
}

// openTTY opens the terminal of the caller's session.
func openTTY(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if c.Job == nil {
		return nil, linux.ENXIO
	}
	t, ok := c.Job.ControllingTTY().(TTYOpener)
	if !ok {
		return nil, linux.ENXIO
	}
	return t.OpenTTY(c, p, flags)
}

// device is what these files share.
type device struct{}

// Release implements vfs.File.
func (device) Release() {}

// SeekTo implements vfs.Seeker: the offset stays at 0 (Linux: null_lseek).
func (device) SeekTo(int64, int, int64) (int64, error) { return 0, nil }

// nullFile is /dev/null.
type nullFile struct{ device }

func (nullFile) ReadAt(*usermem.Seq, int64) (int, error) { return 0, nil }

func (nullFile) WriteAt(src *usermem.Seq, _ int64) (int, error) { return drop(src) }

// drop takes all there is without looking at it.
func drop(src *usermem.Seq) (int, error) {
	n := src.Len()
	src.Skip(n)
	return int(n), nil
}

// zeroFile is /dev/zero.
type zeroFile struct {
	device
	memory *tmpfs.FS
}

func (zeroFile) ReadAt(dst *usermem.Seq, _ int64) (int, error) {
	n, err := dst.ZeroOut(dst.Len())
	if n > 0 {
		err = nil
	}
	return int(n), err
}

func (zeroFile) WriteAt(src *usermem.Seq, _ int64) (int, error) { return drop(src) }

// Mappable implements vfs.Mapper: every mapping has zeros of its own.
func (z zeroFile) Mappable(linux.Prot, bool) (memmap.Mappable, error) {
	if z.memory == nil {
		return nil, linux.ENODEV
	}
	return z.memory.NewZeroMap()
}

// fullFile is /dev/full.
type fullFile struct{ zeroFile }

func (fullFile) WriteAt(*usermem.Seq, int64) (int, error) { return 0, linux.ENOSPC }

// Mappable implements vfs.Mapper.
func (fullFile) Mappable(linux.Prot, bool) (memmap.Mappable, error) { return nil, linux.ENODEV }

// randomFile is /dev/random and /dev/urandom.
type randomFile struct{ fill func([]byte) }

// Release implements vfs.File.
func (randomFile) Release() {}

// SeekTo implements vfs.Seeker (Linux: noop_llseek).
func (randomFile) SeekTo(_ int64, _ int, cur int64) (int64, error) { return cur, nil }

// randomChunk is how much is made at a time, maxRandom the most of one read
// (Linux: 32 MiB - 1).
const (
	randomChunk = 4096
	maxRandom   = 32<<20 - 1
)

func (f randomFile) ReadAt(dst *usermem.Seq, _ int64) (int, error) {
	var buf [randomChunk]byte
	done := 0
	for dst.Len() > 0 && done < maxRandom {
		b := buf[:min(dst.Len(), randomChunk, uint64(maxRandom-done))]
		f.fill(b)
		n, err := dst.CopyOut(b)
		done += n
		if err != nil {
			if done > 0 {
				return done, nil
			}
			return 0, err
		}
	}
	return done, nil
}

func (randomFile) WriteAt(src *usermem.Seq, _ int64) (int, error) { return drop(src) }

// The requests of the random devices that programs make.
const (
	rndGetEntCnt   = 0x80045200
	rndReseedCRNG  = 0x5207
	entropyBits    = 256
	rndAddToEntCnt = 0x40045201
)

// Ioctl implements vfs.Ioctler.
func (randomFile) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	switch req {
	case rndGetEntCnt:
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], entropyBits)
		_, err := mem.CopyOut(arg, b[:])
		return 0, err
	case rndReseedCRNG, rndAddToEntCnt:
		if !c.Cred.HasRoot(linux.CAP_SYS_ADMIN) {
			return 0, linux.EPERM
		}
		return 0, nil
	}
	return 0, linux.ENOTTY
}
