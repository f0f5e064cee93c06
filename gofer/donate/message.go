package donate

import "cordon/internal/linux"

// Limits of one message.
const (
	// MaxPacket is the largest packet either side sends.
	MaxPacket = 128 << 10
	// MaxNames is the most components one walk takes, and the most entries
	// of a reply.
	MaxNames = 64
	// MaxName bounds a path component, MaxTarget a symbolic link.
	MaxName   = linux.NAME_MAX
	MaxTarget = linux.PATH_MAX
	// MaxHandles is the most handles in one clunk.
	MaxHandles = 1024
	// MaxBatch is the most names that are asked about at once.
	MaxBatch = 1024
	// MaxFDs is the most descriptors of one packet.
	MaxFDs = 16
	// MaxOpen is the most files that are opened at once.
	MaxOpen = 64
	// MaxInline is the largest file that comes as its contents, MaxContents bounds
	// those of one packet; the rest is for entries.
	MaxInline   = 16 << 10
	MaxContents = MaxPacket - 16<<10
	// MaxData bounds an extended attribute or a list of their names.
	MaxData = linux.XATTR_SIZE_MAX
)

// Op is an operation of the side channel.
type Op uint8

const (
	// OpDonation is no request: it goes from the gofer to the Sentry, with
	// Tag the token of an Rlopen and the descriptor attached.
	OpDonation Op = iota
	// OpAttach returns the root of the mount called Name, with a handle.
	OpAttach
	// OpWalk walks Names from Handle: one entry per component reached. It
	// ends before a component that cannot be had (Errno says why, with the
	// entries before it) and after one that is no directory. The last entry
	// has a handle if WalkHandle is set, a directory always; with WalkOpen
	// and Flags a regular file at the end comes with a descriptor.
	OpWalk
	// OpStat returns Handle's entry.
	OpStat
	// OpOpen donates a descriptor of Handle, a regular file.
	OpOpen
	// OpOpenMany donates, for reading, regular files of one or more
	// directories, up to the first that cannot be had; an error if that is the
	// first of all. Each of Handles is a directory (OpenGroup): so many of Names
	// lead to it from Handle, and the next are files in it. There is an entry for
	// each file, and a descriptor in FDs; but
	// a small file of a mount that cannot be written comes as its contents, in
	// Data, and then has its bit in Inline. It may end before a file for which
	// there is no room.
	OpOpenMany
	// OpCreate makes the regular file Name in Handle and donates it.
	OpCreate
	// OpTmpfile makes an unnamed file in directory Handle and donates it.
	OpTmpfile
	OpMkdir
	// OpMknod makes Name with the type in Mode: a fifo, socket, device or an
	// empty regular file.
	OpMknod
	// OpSymlink makes Name in Handle, pointing to Target.
	OpSymlink
	// OpLink makes Name in Handle another name of Handle2.
	OpLink
	// OpUnlink removes Name; Flags is AT_REMOVEDIR for a directory. It goes
	// over 9P.
	OpUnlink
	// OpRename moves Name in Handle to Name2 in Handle2 by renameat2 flags.
	OpRename
	// OpSetAttr applies SetAttr and returns the entry as it is after.
	OpSetAttr
	// OpReaddir returns entries of Handle after the cookie Offset as a list
	// of about Length bytes, with attributes if Flags has ListAttrs. Next is
	// the cookie that goes on, 0 at the end.
	OpReaddir
	// OpScan lists whole directories: those that Names are in Handle, in
	// order, each followed by the directories below it on the same device, in
	// a list of about Length bytes with a head for each directory; Flags is as
	// in OpReaddir. The first Offset Names lead from Handle to the directory
	// that the others are in. If there is more, Next is a handle to go on
	// with. What cannot be listed, or is larger than a packet, is left out.
	OpScan
	// OpScanMore goes on with the scan that Handle is, in the same way.
	// Next is Handle as long as there is more.
	OpScanMore
	// OpStatMany returns a list of what Names, from the Offset-th on, are in
	// Handle, with attributes and without names. What cannot be had has none.
	OpStatMany
	OpGetXattr
	OpSetXattr
	OpListXattr
	OpRemoveXattr
	// OpLock tries a lock on Handle for Owner: LockFlock or LockRange of
	// [Offset, Offset+Length), Length 0 for up to the end; Mode is F_RDLCK,
	// F_WRLCK or F_UNLCK. It does not wait: EAGAIN.
	OpLock
	// OpGetLock returns what conflicts in Lock.
	OpGetLock
	// OpUnlockAll drops every lock of Owner on Handle.
	OpUnlockAll
	OpFallocate
	OpFsync
	// OpStatFS goes over 9P.
	OpStatFS
	// OpConnect connects a new socket of type Mode to the socket inode
	// Handle and donates it.
	OpConnect
	// OpClunk gives back Handles. It has no reply.
	OpClunk
	opCount
)

// OpenGroup is an element of OpOpenMany's Handles: a directory that way names lead to,
// and so many files in it.
func OpenGroup(way, files int) uint64 { return uint64(way)<<32 | uint64(files) }

// OpenGroups returns what Handles say, in order; false unless they take all of Names
// and are not more files than MaxOpen.
func (q *Request) OpenGroups() (groups [][2][]string, ok bool) {
	names, files := q.Names, 0
	for _, h := range q.Handles {
		way, n := h>>32, h&(1<<32-1)
		if n == 0 || n > MaxOpen || way > uint64(len(names)) || n > uint64(len(names))-way {
			return nil, false
		}
		groups = append(groups, [2][]string{names[:way], names[way : way+n]})
		names, files = names[way+n:], files+int(n)
	}
	return groups, len(names) == 0 && files <= MaxOpen && files > 0
}

// Walk flags, in Request.Mode.
const (
	WalkHandle uint32 = 1 << iota
	WalkOpen
	// WalkBare: no entry has a handle, directories neither.
	WalkBare
)

// ListAttrs in Request.Flags: entries come with their attributes.
const ListAttrs uint32 = 1

// Kinds of locks, in Request.Flags.
const (
	LockFlock uint32 = iota
	LockRange
)

// A Request asks for one operation. Fields that the operation has no use for
// are not sent.
type Request struct {
	Tag     uint32
	Op      Op
	Handle  uint64
	Handle2 uint64
	Name    string
	Name2   string
	Target  string
	Names   []string
	Flags   uint32
	Mode    uint32
	UID     uint32
	GID     uint32
	Dev     uint64
	Offset  uint64
	Length  uint64
	Owner   uint64
	Data    []byte
	SetAttr SetAttr
	Handles []uint64
}

// A Reply answers a Request. With an Errno the other fields are empty, except
// that a walk returns the entries it came to.
type Reply struct {
	Tag     uint32
	Op      Op
	Errno   linux.Errno
	Entries []Entry
	Data    []byte
	List    string // the sender may have it in Data instead
	Next    uint64 // what goes on after List
	Lock    Lock
	StatFS  StatFS

	// FD is the descriptor that came with the reply, or -1. Whoever holds
	// the reply owns it.
	FD int
	// FDs are the descriptors of OpOpenMany, for the entries that have no bit in
	// Inline. The contents of the others are in Data, one after the other, as long
	// as their sizes.
	FDs    []int
	Inline uint64
	// Packet is what Data is a part of; whoever holds the reply owns it.
	Packet []byte
}

// Lock is a range lock in the way.
type Lock struct {
	Type           uint32 // F_UNLCK where there is none
	Offset, Length uint64
}

type field uint32

const (
	fHandle field = 1 << iota
	fHandle2
	fName
	fName2
	fTarget
	fNames
	fFlags
	fMode
	fOwners // UID and GID
	fDev
	fRange // Offset and Length
	fOwner
	fData
	fSetAttr
	fHandles
	// of replies
	fEntries
	fList // List and Next
	fLock
	fStatFS
	fFD
	fInline // Inline and Data
)

// opInfo describes an operation on the wire.
type opInfo struct {
	name    string
	request field
	reply   field
}

const fCreate = fHandle | fName | fMode | fOwners

var ops = [opCount]opInfo{
	OpDonation:    {"donation", 0, fFD},
	OpAttach:      {"attach", fName, fEntries},
	OpWalk:        {"walk", fHandle | fNames | fFlags | fMode, fEntries | fFD},
	OpStat:        {"stat", fHandle, fEntries},
	OpOpen:        {"open", fHandle | fFlags, fEntries | fFD},
	OpOpenMany:    {"openmany", fHandle | fNames | fHandles, fEntries | fFD | fInline},
	OpCreate:      {"create", fCreate | fFlags, fEntries | fFD},
	OpTmpfile:     {"tmpfile", fHandle | fMode | fOwners | fFlags, fEntries | fFD},
	OpMkdir:       {"mkdir", fCreate, fEntries},
	OpMknod:       {"mknod", fCreate | fDev, fEntries},
	OpSymlink:     {"symlink", fHandle | fName | fTarget | fOwners, fEntries},
	OpLink:        {"link", fHandle | fName | fHandle2, fEntries},
	OpUnlink:      {"unlink", fHandle | fName | fFlags, 0},
	OpRename:      {"rename", fHandle | fName | fHandle2 | fName2 | fFlags, 0},
	OpSetAttr:     {"setattr", fHandle | fSetAttr, fEntries},
	OpReaddir:     {"readdir", fHandle | fRange | fFlags, fList},
	OpScan:        {"scan", fHandle | fNames | fRange | fFlags, fList},
	OpScanMore:    {"scanmore", fHandle | fRange | fFlags, fList},
	OpStatMany:    {"statmany", fHandle | fNames | fRange, fList},
	OpGetXattr:    {"getxattr", fHandle | fName, fData},
	OpSetXattr:    {"setxattr", fHandle | fName | fData | fFlags, 0},
	OpListXattr:   {"listxattr", fHandle, fData},
	OpRemoveXattr: {"removexattr", fHandle | fName, 0},
	OpLock:        {"lock", fHandle | fOwner | fRange | fMode | fFlags, 0},
	OpGetLock:     {"getlock", fHandle | fOwner | fRange | fMode, fLock},
	OpUnlockAll:   {"unlockall", fHandle | fOwner, 0},
	OpFallocate:   {"fallocate", fHandle | fMode | fRange, fEntries},
	OpFsync:       {"fsync", fHandle | fFlags, 0},
	OpStatFS:      {"statfs", fHandle, fStatFS},
	OpConnect:     {"connect", fHandle | fMode, fFD},
	OpClunk:       {"clunk", fHandles, 0},
}

func (o Op) String() string {
	if o < opCount {
		return ops[o].name
	}
	return "unknown"
}

// GivesFD reports whether a reply to o may carry a descriptor.
func (o Op) GivesFD() bool { return o < opCount && ops[o].reply&fFD != 0 }
