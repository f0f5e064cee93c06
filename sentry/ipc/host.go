package ipc

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/sentry/memmap"

	"golang.org/x/sys/unix"
)

// A HostOp is a call that the porter makes (runsc/sandbox/porter.c has the same
// numbers).
type HostOp uint32

const (
	HostShmget HostOp = iota + 1
	HostShmctl
	hostShmat
	hostShmdt
	HostSemget
	HostSemctl
	HostSemop
	HostMsgget
	HostMsgctl
	HostMsgsnd
	HostMsgrcv
)

// What a request and an answer hold at most, as the porter has it.
const (
	hostGroups = 32
	// HostData is the most bytes that go with a call.
	HostData    = 65536 + 64
	requestHead = 4*4 + 4*8 + 2*4 + hostGroups*4
)

// HostFiles numbers files of the host that guests map (the Kernel).
type HostFiles interface {
	NewHostFileID() uint64
	ForgetFile(f platform.HostFile)
}

// A Host is the IPC namespace of the host, for a sandbox that is to be in it: a
// process outside makes the calls there. None of them waits.
type Host struct {
	// immutable
	porter *host.Deputy
	files  HostFiles
}

// NewHost returns the host's IPC namespace as the porter at fd has it.
func NewHost(fd int, files HostFiles) *Host { return &Host{host.NewDeputy(fd), files} }

// SetHost puts ns's System V objects on the host, before anybody is in it.
func (ns *Namespace) SetHost(h *Host) { ns.host = h }

// Host returns where ns's System V objects are if not in the sandbox, nil otherwise.
func (ns *Namespace) Host() *Host { return ns.host }

// Call makes a call for c, or for nobody if nil. in goes with it, and out bytes come back.
func (h *Host) Call(c *Caller, op HostOp, a [4]int64, in []byte, out int) (ret int64, data []byte, err error) {
	if len(in) > HostData || out > HostData {
		return 0, nil, linux.ENOMEM
	}
	ret, data, _, err = h.porter.Ask(request(c, op, a, in, out), out, 0)
	return ret, data, err
}

// request is a call as the porter reads it, for which what is left out is zero.
func request(c *Caller, op HostOp, a [4]int64, in []byte, out int) []byte {
	le, owner, groups := binary.LittleEndian, uint32(0), []uint32(nil)
	uid, gid := uint32(0), uint32(0)
	if c != nil {
		uid, gid, groups = c.Cred.EUID, c.Cred.EGID, c.Cred.Groups
		if c.Cred.HasRoot(linux.CAP_IPC_OWNER) {
			owner = 1
		}
	}
	groups = groups[:min(len(groups), hostGroups)]
	r := make([]byte, requestHead+len(in))
	for i, v := range []uint32{uint32(op), uid, gid, owner} {
		le.PutUint32(r[4*i:], v)
	}
	for i, v := range a {
		le.PutUint64(r[16+8*i:], uint64(v))
	}
	le.PutUint32(r[48:], uint32(len(groups)))
	le.PutUint32(r[52:], uint32(out))
	for i, g := range groups {
		le.PutUint32(r[56+4*i:], g)
	}
	copy(r[requestHead:], in)
	return r
}

// A HostSegment is one attachment of a segment of the host: the memmap.File of its
// mappings, and what they map.
type HostSegment struct {
	// immutable
	host     *Host
	id       int32
	handle   int64
	size     uint64
	fd       int
	file     uint64
	writable bool

	// atomic
	refs atomic.Int64 // mappings, and their bytes
}

var (
	_ memmap.Mappable = (*HostSegment)(nil)
	_ memmap.File     = (*HostSegment)(nil)
)

// Attach is shmat(2) up to the mapping, with one reference.
func (h *Host) Attach(c *Caller, id int32, flags linux.ShmFlags) (*HostSegment, error) {
	handle, data, fds, err := h.porter.Ask(request(c, hostShmat, [4]int64{int64(id), int64(flags)}, nil, 8), 8, 1)
	if err != nil {
		return nil, err
	}
	if len(fds) == 0 {
		return nil, linux.EIO
	}
	s := &HostSegment{
		host: h, id: id, handle: handle, size: binary.LittleEndian.Uint64(data), fd: fds[0], file: h.files.NewHostFileID(),
		writable: flags&linux.SHM_RDONLY == 0,
	}
	s.refs.Store(1)
	return s, nil
}

// Size is the segment's size.
func (s *HostSegment) Size() uint64 { return s.size }

func (s *HostSegment) drop(n int64) {
	if s.refs.Add(-n) > 0 {
		return
	}
	s.host.files.ForgetFile(s.HostFile())
	_ = unix.Close(s.fd)
	// The porter is not waited for with the locks of an address space held.
	go s.host.Call(nil, hostShmdt, [4]int64{s.handle}, nil, 0)
}

// IncRef and DecRef implement memmap.File; those of the Backing count bytes.
func (s *HostSegment) IncRef() { s.refs.Add(1) }

func (s *HostSegment) DecRef() { s.drop(1) }

// MapName implements memmap.File. The key is not asked for.
func (s *HostSegment) MapName() (string, bool) { return "/SYSV00000000", true }

// DeviceInode implements memmap.File.
func (s *HostSegment) DeviceInode() (dev, ino uint64) { return 1, uint64(s.id) }

// Msync implements memmap.File.
func (s *HostSegment) Msync(memmap.Range) linux.Errno { return 0 }

// Translate implements memmap.Mappable.
func (s *HostSegment) Translate(required, optional memmap.Range, _ bool) ([]memmap.Translation, error) {
	end := (s.size + linux.PageSize - 1) &^ (linux.PageSize - 1)
	var err error
	if required.End > end {
		err = linux.EFAULT
	}
	if optional.End = min(optional.End, end); optional.Start >= optional.End {
		return nil, linux.EFAULT
	}
	return []memmap.Translation{{Source: optional, File: hostPages{s}, Offset: optional.Start, Writable: s.writable}}, err
}

// AddMapping implements memmap.Mappable: pages never move.
func (s *HostSegment) AddMapping(memmap.MappingSpace, uint64, memmap.Range, bool) error { return nil }

// RemoveMapping implements memmap.Mappable.
func (s *HostSegment) RemoveMapping(memmap.MappingSpace, uint64, memmap.Range, bool) {}

// HostFile names the memory for the platform.
func (s *HostSegment) HostFile() platform.HostFile {
	return platform.HostFile{ID: s.file, FD: int32(s.fd)}
}

// hostPages is a HostSegment as the backing of its mappings.
type hostPages struct{ *HostSegment }

var _ memmap.Backing = hostPages{}

// IncRef implements memmap.Backing.
func (p hostPages) IncRef(r memmap.Range) { p.refs.Add(int64(r.Len())) }

// DecRef implements memmap.Backing.
func (p hostPages) DecRef(r memmap.Range) { p.drop(int64(r.Len())) }

// Window implements memmap.Backing: there is none, somebody on the host could take
// away what the Sentry is about to touch.
func (hostPages) Window(memmap.Range) []byte { return nil }

// ReadAt implements memmap.Backing.
func (p hostPages) ReadAt(b []byte, off uint64) (int, error) {
	n, err := unix.Pread(p.fd, b, int64(off))
	return max(n, 0), hostErrno(err)
}

// WriteAt implements memmap.Backing.
func (p hostPages) WriteAt(b []byte, off uint64) (int, error) {
	n, err := unix.Pwrite(p.fd, b, int64(off))
	return max(n, 0), hostErrno(err)
}

func hostErrno(err error) error {
	if e, ok := err.(unix.Errno); ok {
		return linux.Errno(e)
	}
	return err
}
