package socket

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// MaxControl is the longest control buffer that is looked at: net.core.optmem_max.
const MaxControl = 128 << 10

// A Control is what comes with a message to send: descriptors, credentials, and what only the family understands.
type Control struct {
	Rights []*vfs.Description // references
	Creds  *linux.Ucred       // as the sender wrote it
	Other  []ControlMessage
}

// A ControlMessage is one control message of a level that the family knows.
type ControlMessage struct {
	Level linux.SockLevel
	Type  int32
	Data  []byte
}

// A Files looks descriptors up: vfs.FDTable. Get returns a reference or nil.
type Files interface {
	Get(fd linux.FD) *vfs.Description
}

// ParseControl reads a control buffer, nil for an empty one. Nothing in it is trusted. Descriptors are looked up for unix
// sockets only: other families do not know SCM_RIGHTS.
func ParseControl(b []byte, family linux.AddressFamily, files Files) (*Control, error) {
	if len(b) == 0 {
		return nil, nil
	}
	c := new(Control)
	for len(b) >= linux.CmsgHdrSize {
		n := binary.LittleEndian.Uint64(b)
		if n < linux.CmsgHdrSize || n > uint64(len(b)) {
			c.Release()
			return nil, linux.EINVAL
		}
		m := ControlMessage{
			Level: linux.SockLevel(binary.LittleEndian.Uint32(b[8:])), Type: int32(binary.LittleEndian.Uint32(b[12:])),
			Data: b[linux.CmsgHdrSize:n],
		}
		if err := c.add(m, family, files); err != nil {
			c.Release()
			return nil, err
		}
		b = b[min(linux.CmsgAlign(int(n)), len(b)):]
	}
	return c, nil
}

func (c *Control) add(m ControlMessage, family linux.AddressFamily, files Files) error {
	if m.Level != linux.SOL_SOCKET || family != linux.AF_UNIX && family != linux.AF_NETLINK {
		c.Other = append(c.Other, m)
		return nil
	}
	switch linux.ScmType(m.Type) {
	case linux.SCM_RIGHTS:
		if family != linux.AF_UNIX {
			return linux.EINVAL
		}
		return c.addRights(m.Data, files)
	case linux.SCM_CREDENTIALS:
		if len(m.Data) != 12 {
			return linux.EINVAL
		}
		c.Creds = &linux.Ucred{
			PID: int32(binary.LittleEndian.Uint32(m.Data)), UID: binary.LittleEndian.Uint32(m.Data[4:]),
			GID: binary.LittleEndian.Uint32(m.Data[8:]),
		}
		return nil
	}
	return linux.EINVAL
}

func (c *Control) addRights(b []byte, files Files) error {
	n := len(b) / 4
	if n > linux.SCM_MAX_FD || len(c.Rights)+n > linux.SCM_MAX_FD {
		return linux.EINVAL
	}
	for i := range n {
		fd := linux.FD(int32(binary.LittleEndian.Uint32(b[4*i:])))
		if files == nil {
			return linux.EBADF
		}
		d := files.Get(fd)
		if d == nil {
			return linux.EBADF
		}
		c.Rights = append(c.Rights, d)
	}
	return nil
}

// Release drops the references. nil has none.
func (c *Control) Release() {
	if c == nil {
		return
	}
	ReleaseRights(c.Rights)
	c.Rights = nil
}

// ReleaseRights drops references to descriptions.
func ReleaseRights(ds []*vfs.Description) {
	for _, d := range ds {
		d.DecRef()
	}
}

// Creds are a sender's or peer's identity in ids of the root namespace.
type Creds struct {
	PID      int32
	UID, GID uint32
}

// CredsOf returns the identity of a caller: what SCM_CREDENTIALS says when the sender says nothing.
func CredsOf(c *vfs.Caller) Creds {
	if c == nil || c.Cred == nil {
		return Creds{}
	}
	out := Creds{UID: c.Cred.EUID, GID: c.Cred.EGID}
	if c.Job != nil {
		out.PID = c.Job.PID()
	}
	return out
}

// RealCreds is CredsOf with the real ids: what Linux sends along where nobody wrote
// any (current_uid_gid).
func RealCreds(c *vfs.Caller) Creds {
	out := CredsOf(c)
	if c != nil && c.Cred != nil {
		out.UID, out.GID = c.Cred.RUID, c.Cred.RGID
	}
	return out
}

// Check turns what a sender claims to be into Creds: EPERM unless it is itself or may be anybody.
func (c *Control) Check(by *vfs.Caller) (Creds, error) {
	if c == nil || c.Creds == nil {
		return RealCreds(by), nil
	}
	self := CredsOf(by)
	k, ns := by.Cred, by.Cred.UserNS
	pid := c.Creds.PID
	if by.Job != nil {
		pid = by.Job.ToRootPID(pid)
	}
	out := Creds{PID: pid, UID: ns.ToRootUID(c.Creds.UID), GID: ns.ToRootGID(c.Creds.GID)}
	if out.UID == cred.NoID || out.GID == cred.NoID {
		return Creds{}, linux.EINVAL
	}
	uidOK := out.UID == k.RUID || out.UID == k.EUID || out.UID == k.SUID || k.HasIn(linux.CAP_SETUID, ns)
	gidOK := out.GID == k.RGID || out.GID == k.EGID || out.GID == k.SGID || k.HasIn(linux.CAP_SETGID, ns)
	if !uidOK || !gidOK || out.PID != self.PID && !k.HasIn(linux.CAP_SYS_ADMIN, ns) {
		return Creds{}, linux.EPERM
	}
	return out, nil
}

// Ucred returns the identity as a namespace sees it; of nobody, Linux shows the overflow ids.
func (c Creds) Ucred(ns *cred.UserNamespace) linux.Ucred {
	return linux.Ucred{PID: c.PID, UID: ns.FromRootUID(c.UID), GID: ns.FromRootGID(c.GID)}
}

// AppendUcred appends struct ucred.
func AppendUcred(b []byte, u linux.Ucred) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(u.PID))
	b = binary.LittleEndian.AppendUint32(b, u.UID)
	return binary.LittleEndian.AppendUint32(b, u.GID)
}

// Received is what came with a message. The zero value is nothing.
type Received struct {
	Rights   []*vfs.Description // references
	Messages []ControlMessage   // before the descriptors, in this order
	Cloexec  bool               // install Rights so: MSG_CMSG_CLOEXEC
}

// Add appends a message.
func (r *Received) Add(level linux.SockLevel, typ int32, data []byte) {
	r.Messages = append(r.Messages, ControlMessage{level, typ, data})
}

// NumberFor makes the ids of senders those that the receiver knows them by.
func (r *Received) NumberFor(j vfs.Job) {
	for _, m := range r.Messages {
		if m.Level == linux.SOL_SOCKET && m.Type == int32(linux.SCM_CREDENTIALS) && len(m.Data) >= 4 {
			id := int32(binary.LittleEndian.Uint32(m.Data))
			binary.LittleEndian.PutUint32(m.Data, uint32(j.FromRootPID(id)))
		}
	}
}

// Release drops what nobody takes.
func (r *Received) Release() {
	ReleaseRights(r.Rights)
	*r = Received{}
}

// Build lays the messages out for a buffer of room bytes. install puts a description in the receiver's table, with the
// reference that comes with it on success. flags gain MSG_CTRUNC for what did not fit. Nothing is left to release after it.
func (r *Received) Build(room int, flags *linux.MsgFlags, install func(d *vfs.Description, flags linux.FDFlags) (linux.FD, error)) []byte {
	var b []byte
	for _, m := range r.Messages {
		b = appendControl(b, room, flags, m)
	}
	if len(r.Rights) > 0 {
		b = r.appendRights(b, room, flags, install)
	}
	r.Release()
	return b
}

// appendControl is Linux's put_cmsg: what does not fit is cut, and said to be.
func appendControl(b []byte, room int, flags *linux.MsgFlags, m ControlMessage) []byte {
	left := room - len(b)
	if left < linux.CmsgHdrSize {
		*flags |= linux.MSG_CTRUNC
		return b
	}
	n := linux.CmsgHdrSize + len(m.Data)
	if n > left {
		*flags |= linux.MSG_CTRUNC
		n = left
	}
	b = appendHeader(b, n, m.Level, m.Type)
	b = append(b, m.Data[:n-linux.CmsgHdrSize]...)
	return pad(b, n, room)
}

func appendHeader(b []byte, n int, level linux.SockLevel, typ int32) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(level))
	return binary.LittleEndian.AppendUint32(b, uint32(typ))
}

// pad fills up to where the next message begins, as far as there is room.
func pad(b []byte, n, room int) []byte {
	fill := min(linux.CmsgAlign(n)-n, room-len(b))
	return append(b, make([]byte, fill)...)
}

func (r *Received) appendRights(b []byte, room int, flags *linux.MsgFlags, install func(d *vfs.Description, flags linux.FDFlags) (linux.FD, error)) []byte {
	fits := max(0, (room-len(b)-linux.CmsgHdrSize)/4)
	var fdFlags linux.FDFlags
	if r.Cloexec {
		fdFlags = linux.FD_CLOEXEC
	}
	var fds []byte
	taken := 0
	for taken < min(fits, len(r.Rights)) {
		fd, err := install(r.Rights[taken], fdFlags)
		if err != nil {
			break
		}
		fds = binary.LittleEndian.AppendUint32(fds, uint32(fd))
		taken++
	}
	if taken < len(r.Rights) {
		*flags |= linux.MSG_CTRUNC
	}
	r.Rights = r.Rights[taken:]
	if taken == 0 {
		return b
	}
	n := linux.CmsgHdrSize + len(fds)
	b = appendHeader(b, n, linux.SOL_SOCKET, int32(linux.SCM_RIGHTS))
	b = append(b, fds...)
	return pad(b, n, room)
}
