package donate

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// attrSize is an Attr on the wire, entryMin an Entry without its target.
const (
	timeSize = 12
	attrSize = 8 + 8 + 4 + 4 + 4 + 4 + 8 + 8 + 8 + 4 + 4*timeSize + 8 + 8 + 8
	entryMin = 8 + attrSize + 2
)

// encoder appends little-endian values.
type encoder struct{ b []byte }

func (e *encoder) u8(v uint8)   { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16) { e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

func (e *encoder) str(s string) {
	e.u16(uint16(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bytes(p []byte) {
	e.u32(uint32(len(p)))
	e.b = append(e.b, p...)
}

func (e *encoder) time(t Time) {
	e.u64(uint64(t.Sec))
	e.u32(t.Nsec)
}

func (e *encoder) attr(a *Attr) {
	e.u64(a.Dev)
	e.u64(a.Ino)
	e.u32(uint32(a.Mode))
	e.u32(a.Nlink)
	e.u32(a.UID)
	e.u32(a.GID)
	e.u64(a.Rdev)
	e.u64(a.Size)
	e.u64(a.Blocks)
	e.u32(a.Blksize)
	e.time(a.Atime)
	e.time(a.Mtime)
	e.time(a.Ctime)
	e.time(a.Btime)
	e.u64(a.MountID)
	e.u64(uint64(a.Attributes))
	e.u64(uint64(a.AttributesMask))
}

func (e *encoder) entry(n *Entry) {
	e.u64(n.Handle)
	e.attr(&n.Attr)
	e.str(n.Target)
}

func (e *encoder) setAttr(s *SetAttr) {
	e.u32(uint32(s.Mask))
	e.u32(s.Mode)
	e.u32(s.UID)
	e.u32(s.GID)
	e.u64(s.Size)
	e.time(s.Atime)
	e.time(s.Mtime)
}

func (e *encoder) statFS(s *StatFS) {
	e.u64(s.Type)
	e.u32(s.Bsize)
	e.u32(s.Frsize)
	e.u32(s.Namelen)
	for _, v := range [...]uint64{s.Blocks, s.Bfree, s.Bavail, s.Files, s.Ffree, s.Fsid, uint64(s.Flags)} {
		e.u64(v)
	}
}

// decoder takes values off the front of b. After the first that does not fit,
// bad is set and every value is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) u8() uint8 {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if p := d.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if p := d.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if p := d.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (d *decoder) str(limit int) string {
	n := int(d.u16())
	if n > limit {
		d.bad, d.b = true, nil
		return ""
	}
	return string(d.take(n))
}

// names takes a list of names, which are one piece of memory.
func (d *decoder) names() []string {
	names := make([]string, d.count(MaxBatch, 2))
	text := string(d.b)
	for i := range names {
		n := int(d.u16())
		at := len(text) - len(d.b)
		if n > MaxName || d.take(n) == nil && n > 0 {
			d.bad, d.b = true, nil
			return nil
		}
		names[i] = text[at : at+n]
	}
	return names
}

func (d *decoder) bytes(limit int) []byte {
	n := d.u32()
	if uint64(n) > uint64(limit) {
		d.bad, d.b = true, nil
		return nil
	}
	return append([]byte(nil), d.take(int(n))...)
}

// count takes the length of a list whose items take at least size bytes, so
// that no list is allocated that the message cannot hold.
func (d *decoder) count(limit, size int) int {
	n := int(d.u32())
	if n < 0 || n > limit || n*size > len(d.b) {
		d.bad, d.b = true, nil
		return 0
	}
	return n
}

func (d *decoder) time() Time {
	t := Time{Sec: int64(d.u64()), Nsec: d.u32()}
	if t.Nsec >= 1e9 {
		d.bad = true
	}
	return t
}

func (d *decoder) attr(a *Attr) {
	a.Dev = d.u64()
	a.Ino = d.u64()
	a.Mode = linux.FileMode(d.u32())
	a.Nlink = d.u32()
	a.UID = d.u32()
	a.GID = d.u32()
	a.Rdev = d.u64()
	a.Size = d.u64()
	a.Blocks = d.u64()
	a.Blksize = d.u32()
	a.Atime = d.time()
	a.Mtime = d.time()
	a.Ctime = d.time()
	a.Btime = d.time()
	a.MountID = d.u64()
	a.Attributes = linux.StatxAttr(d.u64())
	a.AttributesMask = linux.StatxAttr(d.u64())
}

func (d *decoder) entry(n *Entry) {
	n.Handle = d.u64()
	d.attr(&n.Attr)
	n.Target = d.str(MaxTarget)
}

func (d *decoder) setAttr(s *SetAttr) {
	s.Mask = SetMask(d.u32())
	s.Mode = d.u32()
	s.UID = d.u32()
	s.GID = d.u32()
	s.Size = d.u64()
	s.Atime = d.time()
	s.Mtime = d.time()
	if s.Mask&^setAll != 0 {
		d.bad = true
	}
}

func (d *decoder) statFS(s *StatFS) {
	s.Type = d.u64()
	s.Bsize = d.u32()
	s.Frsize = d.u32()
	s.Namelen = d.u32()
	for _, p := range [...]*uint64{&s.Blocks, &s.Bfree, &s.Bavail, &s.Files, &s.Ffree, &s.Fsid} {
		*p = d.u64()
	}
	s.Flags = linux.StatfsFlags(d.u64())
}

// Append encodes q to b.
func (q *Request) Append(b []byte) []byte {
	e := encoder{b}
	e.u32(q.Tag)
	e.u8(uint8(q.Op))
	f := ops[q.Op].request
	for _, v := range [...]struct {
		f field
		v uint64
	}{{fHandle, q.Handle}, {fHandle2, q.Handle2}, {fDev, q.Dev}, {fRange, q.Offset}, {fRange, q.Length}, {fOwner, q.Owner}} {
		if f&v.f != 0 {
			e.u64(v.v)
		}
	}
	for _, v := range [...]struct {
		f field
		v uint32
	}{{fFlags, q.Flags}, {fMode, q.Mode}, {fOwners, q.UID}, {fOwners, q.GID}} {
		if f&v.f != 0 {
			e.u32(v.v)
		}
	}
	for _, v := range [...]struct {
		f field
		v string
	}{{fName, q.Name}, {fName2, q.Name2}, {fTarget, q.Target}} {
		if f&v.f != 0 {
			e.str(v.v)
		}
	}
	if f&fNames != 0 {
		e.u32(uint32(len(q.Names)))
		for _, n := range q.Names {
			e.str(n)
		}
	}
	if f&fData != 0 {
		e.bytes(q.Data)
	}
	if f&fSetAttr != 0 {
		e.setAttr(&q.SetAttr)
	}
	if f&fHandles != 0 {
		e.u32(uint32(len(q.Handles)))
		for _, h := range q.Handles {
			e.u64(h)
		}
	}
	return e.b
}

// Decode fills q from one packet and reports whether it was a whole request.
func (q *Request) Decode(b []byte) bool {
	d := decoder{b: b}
	*q = Request{Tag: d.u32(), Op: Op(d.u8())}
	if d.bad || q.Op >= opCount || q.Op == OpDonation {
		return false
	}
	f := ops[q.Op].request
	for _, v := range [...]struct {
		f field
		p *uint64
	}{{fHandle, &q.Handle}, {fHandle2, &q.Handle2}, {fDev, &q.Dev}, {fRange, &q.Offset}, {fRange, &q.Length}, {fOwner, &q.Owner}} {
		if f&v.f != 0 {
			*v.p = d.u64()
		}
	}
	for _, v := range [...]struct {
		f field
		p *uint32
	}{{fFlags, &q.Flags}, {fMode, &q.Mode}, {fOwners, &q.UID}, {fOwners, &q.GID}} {
		if f&v.f != 0 {
			*v.p = d.u32()
		}
	}
	for _, v := range [...]struct {
		f     field
		p     *string
		limit int
	}{{fName, &q.Name, MaxName}, {fName2, &q.Name2, MaxName}, {fTarget, &q.Target, MaxTarget}} {
		if f&v.f != 0 {
			*v.p = d.str(v.limit)
		}
	}
	if f&fNames != 0 {
		q.Names = d.names()
	}
	if f&fData != 0 {
		q.Data = d.bytes(MaxData)
	}
	if f&fSetAttr != 0 {
		d.setAttr(&q.SetAttr)
	}
	if f&fHandles != 0 {
		q.Handles = make([]uint64, d.count(MaxHandles, 8))
		for i := range q.Handles {
			q.Handles[i] = d.u64()
		}
	}
	return !d.bad && len(d.b) == 0
}

// Append encodes r to b. A reply that does not fit in MaxPacket is the sender's
// mistake.
func (r *Reply) Append(b []byte) []byte {
	b, tail := r.AppendHead(b)
	return append(b, tail...)
}

// AppendHead is Append but for what comes last, if that is Data, which it returns.
func (r *Reply) AppendHead(b []byte) (head, tail []byte) {
	e := encoder{b}
	e.u32(r.Tag)
	e.u8(uint8(r.Op))
	e.u16(uint16(r.Errno))
	f := ops[r.Op].reply
	if f&fEntries != 0 {
		e.u32(uint32(len(r.Entries)))
		for i := range r.Entries {
			e.entry(&r.Entries[i])
		}
	}
	if r.Errno != 0 {
		return e.b, nil
	}
	if f&fList != 0 {
		e.u64(r.Next)
		e.b = append(e.b, r.List...)
		tail = r.Data
	}
	if f&fData != 0 {
		e.bytes(r.Data)
	}
	if f&fLock != 0 {
		e.u32(r.Lock.Type)
		e.u64(r.Lock.Offset)
		e.u64(r.Lock.Length)
	}
	if f&fStatFS != 0 {
		e.statFS(&r.StatFS)
	}
	if f&fInline != 0 {
		e.u64(r.Inline)
		e.u32(uint32(len(r.Data)))
		tail = r.Data
	}
	return e.b, tail
}

// Decode fills r from one packet, apart from FD, and reports whether it was a
// whole reply. Contents of files stay in the packet.
func (r *Reply) Decode(b []byte) bool {
	d := decoder{b: b}
	*r = Reply{Tag: d.u32(), Op: Op(d.u8()), Errno: linux.Errno(d.u16()), FD: -1}
	if d.bad || r.Op >= opCount || r.Errno > maxErrno {
		return false
	}
	f := ops[r.Op].reply
	if f&fEntries != 0 {
		r.Entries = make([]Entry, d.count(MaxNames, entryMin))
		for i := range r.Entries {
			d.entry(&r.Entries[i])
		}
	}
	if r.Errno != 0 {
		return !d.bad && len(d.b) == 0
	}
	if f&fList != 0 {
		r.Next = d.u64()
		r.List = string(d.take(len(d.b)))
	}
	if f&fData != 0 {
		r.Data = d.bytes(MaxData)
	}
	if f&fLock != 0 {
		r.Lock = Lock{d.u32(), d.u64(), d.u64()}
	}
	if f&fStatFS != 0 {
		d.statFS(&r.StatFS)
	}
	if f&fInline != 0 {
		r.Inline = d.u64()
		n := d.u32()
		if n > MaxContents {
			return false
		}
		r.Data = d.take(int(n))
	}
	return !d.bad && len(d.b) == 0
}

// maxErrno is the last errno that reaches programs (Linux: MAX_ERRNO is wider,
// for the kernel's own).
const maxErrno = linux.EHWPOISON
