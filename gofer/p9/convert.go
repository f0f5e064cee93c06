package p9

import (
	"errors"
	"strconv"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	p9linux "github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// The library's names, so that users of this package need not import it too.
type (
	File        = p9.File
	Attacher    = p9.Attacher
	QID         = p9.QID
	Attr        = p9.Attr
	AttrMask    = p9.AttrMask
	SetAttr     = p9.SetAttr
	SetAttrMask = p9.SetAttrMask
	XattrFlags  = p9.XattrFlags
	OpenFlags   = p9.OpenFlags
	FileMode    = p9.FileMode
	Dirent      = p9.Dirent
	Dirents     = p9.Dirents
	FSStat      = p9.FSStat
	UID         = p9.UID
	GID         = p9.GID
)

// Errno returns an error for the library that it passes on as it is.
func Errno(e linux.Errno) error {
	if e == 0 {
		return nil
	}
	return p9linux.Errno(e)
}

// fromError converts what the library's client returns. ok is false when it is
// no answer of the server but a failure of the connection.
func fromError(err error) (e linux.Errno, ok bool) {
	if err == nil {
		return 0, true
	}
	var pe p9linux.Errno
	if errors.As(err, &pe) && pe > 0 && pe <= p9linux.Errno(linux.EHWPOISON) {
		return linux.Errno(pe), true
	}
	return linux.EIO, false
}

// HandleName is the name under which every 9P directory shows the inode that
// the side channel calls handle.
func HandleName(handle uint64) string { return "\x00" + strconv.FormatUint(handle, 16) }

// ParseHandleName undoes HandleName.
func ParseHandleName(name string) (uint64, bool) {
	if len(name) < 2 || name[0] != 0 {
		return 0, false
	}
	h, err := strconv.ParseUint(name[1:], 16, 64)
	return h, err == nil
}

// ToQID names an inode in 9P. Path is unique per inode as far as 64 bits go:
// 9P has no device number.
func ToQID(a *donate.Attr) QID {
	return QID{Type: p9.FileMode(a.Mode).QIDType(), Path: a.Ino ^ a.Dev<<40}
}

// ToAttr converts attributes; the device is lost.
func ToAttr(a *donate.Attr) Attr {
	return Attr{
		Mode: p9.FileMode(a.Mode), UID: p9.UID(a.UID), GID: p9.GID(a.GID),
		NLink: p9.NLink(a.Nlink), RDev: p9.Dev(a.Rdev), Size: a.Size,
		BlockSize: uint64(a.Blksize), Blocks: a.Blocks,
		ATimeSeconds: uint64(a.Atime.Sec), ATimeNanoSeconds: uint64(a.Atime.Nsec),
		MTimeSeconds: uint64(a.Mtime.Sec), MTimeNanoSeconds: uint64(a.Mtime.Nsec),
		CTimeSeconds: uint64(a.Ctime.Sec), CTimeNanoSeconds: uint64(a.Ctime.Nsec),
		BTimeSeconds: uint64(a.Btime.Sec), BTimeNanoSeconds: uint64(a.Btime.Nsec),
	}
}

// FromSetAttr converts a change of attributes.
func FromSetAttr(m p9.SetAttrMask, a SetAttr) donate.SetAttr {
	s := donate.SetAttr{
		Mode: uint32(a.Permissions), UID: uint32(a.UID), GID: uint32(a.GID), Size: a.Size,
		Atime: donate.Time{Sec: int64(a.ATimeSeconds), Nsec: uint32(a.ATimeNanoSeconds)},
		Mtime: donate.Time{Sec: int64(a.MTimeSeconds), Nsec: uint32(a.MTimeNanoSeconds)},
	}
	for _, f := range [...]struct {
		on   bool
		mask donate.SetMask
	}{
		{m.Permissions, donate.SetMode}, {m.UID, donate.SetUID}, {m.GID, donate.SetGID}, {m.Size, donate.SetSize},
		{m.ATime && m.ATimeNotSystemTime, donate.SetAtime}, {m.ATime && !m.ATimeNotSystemTime, donate.SetAtimeNow},
		{m.MTime && m.MTimeNotSystemTime, donate.SetMtime}, {m.MTime && !m.MTimeNotSystemTime, donate.SetMtimeNow},
	} {
		if f.on {
			s.Mask |= f.mask
		}
	}
	return s
}

// ToStatFS and FromStatFS convert what statfs(2) says.
func ToStatFS(s *donate.StatFS) FSStat {
	return FSStat{
		Type: uint32(s.Type), BlockSize: s.Bsize, Blocks: s.Blocks, BlocksFree: s.Bfree,
		BlocksAvailable: s.Bavail, Files: s.Files, FilesFree: s.Ffree, FSID: s.Fsid, NameLength: s.Namelen,
	}
}

// FromStatFS undoes ToStatFS.
func FromStatFS(s FSStat) donate.StatFS {
	return donate.StatFS{
		Type: uint64(s.Type), Bsize: s.BlockSize, Frsize: s.BlockSize, Blocks: s.Blocks, Bfree: s.BlocksFree,
		Bavail: s.BlocksAvailable, Files: s.Files, Ffree: s.FilesFree, Fsid: s.FSID, Namelen: s.NameLength,
	}
}

// AllAttrs asks for, or offers, every attribute.
func AllAttrs() AttrMask { return p9.AttrMaskAll }
