package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

// A File is what an inode, a socket or a pipe end does for one open
// description. Everything beyond Release is optional.
type File interface {
	// Release is called once, when the last reference has gone. It takes no
	// part in close(2)'s result.
	Release()
}

// A Stream is read and written without offsets. Both return EAGAIN instead of
// waiting; 0, nil from Read is the end. A short count is never with an error.
type (
	Reader interface {
		Read(dst *usermem.Seq) (int, error)
	}
	Writer interface {
		Write(src *usermem.Seq) (int, error)
	}
)

// A file with offsets (seekable).
type (
	ReaderAt interface {
		ReadAt(dst *usermem.Seq, off int64) (int, error)
	}
	WriterAt interface {
		WriteAt(src *usermem.Seq, off int64) (int, error)
	}
	// An Appender writes at its end atomically (O_APPEND) and says where that
	// was.
	Appender interface {
		Append(src *usermem.Seq) (n int, off int64, err error)
	}
	// A Seeker has offsets of its own meaning. Without it, SEEK_SET, SEEK_CUR
	// and SEEK_END work by the inode's size for any ReaderAt.
	Seeker interface {
		SeekTo(off int64, whence int, current int64) (int64, error)
	}
)

// A Positioned file has an offset of its own, which Read and Write use and
// pread(2) and pwrite(2) leave alone.
type Positioned interface {
	Seeker
	PReadAt(dst *usermem.Seq, off int64) (int, error)
	PWriteAt(src *usermem.Seq, off int64) (int, error)
}

// A Dirent is one name in a directory.
type Dirent struct {
	Name string
	Ino  uint64
	Type uint8 // DT_*
	Next int64 // the offset of the entry after this one
}

// A DirReader lists a directory, "." and ".." first. It emits entries from
// offset off on until emit returns false (that entry is not consumed).
type DirReader interface {
	ReadDir(off int64, emit func(Dirent) bool) error
}

// A TailReader is a DirReader that has "." at offset 0 and ".." at 1, and can list
// what comes after them by itself, from an offset of at least 2 on. Names of now it
// lists when it has not been read before.
type TailReader interface {
	DirReader
	ReadTail(off int64, emit func(Dirent) bool) error
}

// A DirSink takes what is in directories. Emit sets Off to Next of each entry that it
// takes; it can be made once for many directories.
type DirSink struct {
	Emit func(Dirent) bool
	Off  int64
}

// A Poller can be waited for. A file without it is always ready.
type Poller interface {
	// Readiness returns which of mask's events hold now (Err and Hup always
	// count).
	Readiness(mask wait.Events) wait.Events
	// Queue is notified whenever an event begins to hold.
	Queue() *wait.Queue
}

// An Ioctler handles ioctl(2). ENOTTY: not a request of this file.
type Ioctler interface {
	Ioctl(c *Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error)
}

// A Mapper is a File whose mapping is not its inode's.
type Mapper interface {
	Mappable(prot linux.Prot, shared bool) (memmap.Mappable, error)
}

// A MapPreparer is a File that has to do something, which may block, before its
// inode is mapped.
type MapPreparer interface {
	PrepareMap() error
}

// A Syncer writes back. dataOnly is fdatasync(2).
type Syncer interface {
	Sync(dataOnly bool) error
}

// A file that is InMemory is a Syncer that has nothing to write back, ever.
type InMemory interface {
	Syncer
	InMemory()
}

// An Allocator handles fallocate(2).
type Allocator interface {
	Allocate(mode linux.FallocateMode, off, n int64) error
}

// A FlagSetter is told of fcntl(F_SETFL) changes.
type FlagSetter interface {
	SetFlags(flags linux.OpenFlags) error
}

// A Flusher is told of every close(2) of a descriptor, and of the table that it
// was in. No lock is held.
type Flusher interface {
	Flush(from *FDTable)
}
