package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

// A CallerReader and a CallerWriter are Streams that need to know who calls: a
// terminal stops background processes, a socket takes credentials along.
type (
	CallerReader interface {
		ReadAs(c *Caller, dst *usermem.Seq) (int, error)
	}
	CallerWriter interface {
		WriteAs(c *Caller, src *usermem.Seq) (int, error)
	}
)

// A CallerReaderAt is read at offsets, and shows different callers different
// text. It is a Seeker too.
type CallerReaderAt interface {
	ReadAtAs(c *Caller, dst *usermem.Seq, off int64) (int, error)
}

// A PendingOpen is a File whose open(2) may have to wait (a FIFO without its
// other end). Open has returned its Description already; whoever called sleeps
// on OpenQueue until Opened, and drops the Description if interrupted.
type PendingOpen interface {
	Opened() bool
	OpenQueue() *wait.Queue
}

// A FIFOOpener makes the ends of FIFOs. It refuses what cannot be (O_NONBLOCK
// writer without a reader: ENXIO) and returns a PendingOpen for what has to
// wait. The pipe behind the inode is kept in state.FIFO.
type FIFOOpener interface {
	OpenFIFO(c *Caller, state *InodeState, flags linux.OpenFlags) (File, error)
}

// A DeviceOpener opens a character or block device.
type DeviceOpener func(c *Caller, p Path, flags linux.OpenFlags) (File, error)

type deviceKey struct {
	block        bool
	major, minor uint32
}

// anyMinor stands for every minor number of a major.
const anyMinor = ^uint32(0)

// RegisterDevice makes a device openable through any inode with its number.
// Before the first guest runs.
func (v *VFS) RegisterDevice(kind linux.FileMode, major, minor uint32, open DeviceOpener) {
	v.devices[deviceKey{kind == linux.S_IFBLK, major, minor}] = open
}

// RegisterMajor makes every minor number of a major openable, and names the
// driver in /proc/devices.
func (v *VFS) RegisterMajor(kind linux.FileMode, major uint32, driver string, open DeviceOpener) {
	k := deviceKey{kind == linux.S_IFBLK, major, anyMinor}
	v.drivers[k] = driver
	if open != nil {
		v.devices[k] = open
	}
}

func (v *VFS) openDevice(c *Caller, p Path, rdev uint64, flags linux.OpenFlags) (File, error) {
	k := deviceKey{p.Dentry.kind == linux.S_IFBLK, linux.DevMajor(rdev), linux.DevMinor(rdev)}
	open := v.devices[k]
	if open == nil {
		k.minor = anyMinor
		open = v.devices[k]
	}
	if open == nil {
		return nil, linux.ENXIO
	}
	return open(c, p, flags)
}

// An AccessTimer is an inode that keeps access times and is told of reads. It
// updates the time if relatime says so, or always if strict.
type AccessTimer interface {
	Accessed(strict bool)
}

// An ExclusiveOpener is an inode of a special type that makes its own File
// (a nameless pipe reached through /proc/self/fd).
type selfOpener interface {
	opensItself()
}

// A Sealer is a File with seals (memfd_create(2)).
type Sealer interface {
	Seals() (linux.Seals, error)
	AddSeals(s linux.Seals) error
}

// A SizeLimiter refuses offsets beyond what it can store (EFBIG). Without it
// the limit is what fits an int64.
type SizeLimiter interface {
	MaxSize() int64
}

// A Description-aware File wants to know its Description (epoll, sockets that
// are passed around).
type DescriptionAware interface {
	SetDescription(d *Description)
}
