package donate

import "cordon/internal/linux"

// NoID as a user or group means: leave it alone.
const NoID = ^uint32(0)

// NoHandle is no handle. Handles start at 1.
const NoHandle uint64 = 0

// A Time is a timestamp of a file.
type Time struct {
	Sec  int64
	Nsec uint32
}

// NS returns nanoseconds since the epoch.
func (t Time) NS() int64 { return t.Sec*1e9 + int64(t.Nsec) }

// TimeFromNS converts nanoseconds since the epoch.
func TimeFromNS(ns int64) Time {
	sec, nsec := ns/1e9, ns%1e9
	if nsec < 0 {
		sec, nsec = sec-1, nsec+1e9
	}
	return Time{Sec: sec, Nsec: uint32(nsec)}
}

// Attr is what statx(2) says about an inode.
type Attr struct {
	Dev, Ino       uint64 // Dev as user space sees device numbers
	Mode           linux.FileMode
	Nlink          uint32
	UID, GID       uint32
	Rdev           uint64
	Size           uint64
	Blocks         uint64 // of 512 bytes
	Blksize        uint32
	Atime          Time
	Mtime          Time
	Ctime          Time
	Btime          Time // zero where the file system has none
	MountID        uint64
	Attributes     linux.StatxAttr
	AttributesMask linux.StatxAttr
}

// Entry is an inode as a reply shows it.
type Entry struct {
	// Handle names the inode from now on, and the receiver has to clunk it;
	// NoHandle where none was asked for.
	Handle uint64
	Attr   Attr
	Target string // of a symbolic link
}

// SetMask says which fields of SetAttr are meant.
type SetMask uint32

const (
	SetMode SetMask = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime
	SetMtime
	SetAtimeNow
	SetMtimeNow
	setAll = 1<<iota - 1
)

// SetAttr changes attributes. Mode is the permission, set-id and sticky bits.
type SetAttr struct {
	Mask         SetMask
	Mode         uint32
	UID, GID     uint32
	Size         uint64
	Atime, Mtime Time
}

// StatFS is what statfs(2) says.
type StatFS struct {
	Type          uint64
	Bsize, Frsize uint32
	Namelen       uint32
	Blocks        uint64
	Bfree, Bavail uint64
	Files, Ffree  uint64
	Fsid          uint64
	Flags         linux.StatfsFlags
}
