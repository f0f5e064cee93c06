package client

import (
	"math/bits"
	"strings"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// checkName says what is wrong with a name as a directory entry.
func checkName(name string) linux.Errno {
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return linux.EINVAL
	case len(name) > linux.NAME_MAX:
		return linux.ENAMETOOLONG
	}
	return 0
}

// checkTarget says what is wrong with a symbolic link's target.
func checkTarget(target string) linux.Errno {
	switch {
	case target == "":
		return linux.ENOENT
	case len(target) >= linux.PATH_MAX:
		return linux.ENAMETOOLONG
	case strings.IndexByte(target, 0) >= 0:
		return linux.EINVAL
	}
	return 0
}

// goodEntry checks what the gofer says about an inode.
func goodEntry(e *donate.Entry) bool {
	switch e.Attr.Mode.Type() {
	case linux.S_IFREG, linux.S_IFDIR, linux.S_IFCHR, linux.S_IFBLK, linux.S_IFIFO, linux.S_IFSOCK:
		if e.Target != "" {
			return false
		}
	case linux.S_IFLNK:
		if strings.IndexByte(e.Target, 0) >= 0 {
			return false
		}
	default:
		return false
	}
	a := &e.Attr
	return a.Size <= 1<<63-1 && a.Blocks <= 1<<55 && a.Blksize <= 1<<30 && a.Mode&^(linux.S_IFMT|0o7777) == 0
}

// checkReply reports whether r can be an answer to q.
func checkReply(q *donate.Request, r *donate.Reply) bool {
	if r.Errno == 0 && r.Op != q.Op && r.Op != 0 {
		return false
	}
	for i := range r.Entries {
		if !goodEntry(&r.Entries[i]) {
			return false
		}
	}
	if q.Op == donate.OpWalk {
		return checkWalk(q, r)
	}
	if r.Errno != 0 {
		return len(r.Entries) == 0 && r.FD < 0 && len(r.FDs) == 0
	}
	switch q.Op {
	case donate.OpOpen:
		return len(r.Entries) == 1 && goodFile(r.FD, q.Flags)
	case donate.OpOpenMany:
		return checkMany(q, r)
	case donate.OpCreate:
		return len(r.Entries) == 1 && goodFile(r.FD, q.Flags)
	case donate.OpTmpfile:
		return len(r.Entries) == 1 && goodFile(r.FD, unix.O_RDWR)
	case donate.OpConnect:
		return isType(r.FD, unix.S_IFSOCK)
	case donate.OpAttach, donate.OpStat, donate.OpMkdir, donate.OpMknod, donate.OpSymlink, donate.OpLink,
		donate.OpSetAttr, donate.OpFallocate:
		return len(r.Entries) == 1
	}
	return true
}

// checkWalk checks that a walk went through directories, all with handles, and
// ended where one must.
func checkWalk(q *donate.Request, r *donate.Reply) bool {
	if len(r.Entries) > len(q.Names) {
		return false
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		dir := e.Attr.Mode.IsDir()
		switch {
		case q.Mode&donate.WalkBare != 0:
			if e.Handle != donate.NoHandle || !dir && i < len(r.Entries)-1 {
				return false
			}
		case dir && e.Handle == donate.NoHandle:
			return false
		case !dir && (i < len(r.Entries)-1 || r.Errno != 0):
			return false
		}
	}
	n := len(r.Entries)
	ended := n > 0 && !r.Entries[n-1].Attr.Mode.IsDir()
	if r.Errno == 0 && n < len(q.Names) && !ended {
		return false
	}
	if r.FD < 0 {
		return true
	}
	return r.Errno == 0 && q.Mode&donate.WalkOpen != 0 && n == len(q.Names) &&
		r.Entries[n-1].Attr.Mode.IsRegular() && goodFile(r.FD, q.Flags)
}

// checkMany checks that every entry is a regular file and has either a descriptor
// or its contents.
func checkMany(q *donate.Request, r *donate.Reply) bool {
	n := len(r.Entries)
	files := 0
	for _, h := range q.Handles {
		files += int(h & (1<<32 - 1))
	}
	if n == 0 || n > donate.MaxOpen || n > files ||
		r.Inline>>n != 0 || bits.OnesCount64(r.Inline)+len(r.FDs) != n {
		return false
	}
	var contents uint64
	for i := range r.Entries {
		a := &r.Entries[i].Attr
		if !a.Mode.IsRegular() {
			return false
		}
		if r.Inline>>i&1 == 0 {
			continue
		}
		if contents += a.Size; a.Size > donate.MaxInline {
			return false
		}
	}
	for _, fd := range r.FDs {
		if !goodFile(fd, unix.O_RDONLY) {
			return false
		}
	}
	return contents == uint64(len(r.Data))
}

// goodFile reports whether fd is a regular file open with flags' access mode.
func goodFile(fd int, flags uint32) bool {
	if !isType(fd, unix.S_IFREG) {
		return false
	}
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && got&(unix.O_ACCMODE|unix.O_PATH) == int(flags)&unix.O_ACCMODE
}

func isType(fd int, typ uint32) bool {
	var st unix.Stat_t
	return fd >= 0 && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == typ
}

func closeFD(r *donate.Reply) {
	if r.FD >= 0 {
		unix.Close(r.FD)
		r.FD = -1
	}
	donate.CloseAll(r.FDs)
	r.FDs = nil
}
