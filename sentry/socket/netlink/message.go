package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
)

// dumpSize is how much of a dump goes into one datagram: Linux's NLMSG_GOODSIZE, which readers with a buffer of a page
// rely on.
const dumpSize = 3776

// A header is struct nlmsghdr.
type header struct {
	length uint32
	typ    linux.NlMsgType
	flags  linux.NlMsgFlags
	seq    uint32
	pid    uint32
}

// A request is one message from the guest.
type request struct {
	header
	raw  []byte // with its header
	body []byte
}

// next takes the first message off b; ok is false when there is no whole one.
func next(b []byte) (r request, rest []byte, ok bool) {
	if len(b) < linux.NLMSG_HDRLEN {
		return r, nil, false
	}
	r.header = header{
		length: binary.LittleEndian.Uint32(b), typ: linux.NlMsgType(binary.LittleEndian.Uint16(b[4:])),
		flags: linux.NlMsgFlags(binary.LittleEndian.Uint16(b[6:])), seq: binary.LittleEndian.Uint32(b[8:]),
		pid: binary.LittleEndian.Uint32(b[12:]),
	}
	if r.length < linux.NLMSG_HDRLEN || uint64(r.length) > uint64(len(b)) {
		return r, nil, false
	}
	n := int(r.length)
	r.raw, r.body = b[:n], b[linux.NLMSG_HDRLEN:n]
	return r, b[min(linux.NlAlign(n), len(b)):], true
}

// attributes reads the attributes after a fixed part of size bytes; EINVAL when that is not all there. As in Linux, what
// follows a broken attribute is ignored.
func (r *request) attributes(size int) (map[uint16][]byte, error) {
	if len(r.body) < size {
		return nil, linux.EINVAL
	}
	out := make(map[uint16][]byte)
	b := r.body[min(linux.NlAlign(size), len(r.body)):]
	for len(b) >= linux.NLA_HDRLEN {
		n := int(binary.LittleEndian.Uint16(b))
		if n < linux.NLA_HDRLEN || n > len(b) {
			break
		}
		out[binary.LittleEndian.Uint16(b[2:])&linux.NLA_TYPE_MASK] = b[linux.NLA_HDRLEN:n]
		b = b[min(linux.NlAlign(n), len(b)):]
	}
	return out, nil
}

// u32 reads a number of an attribute.
func u32(b []byte) (uint32, bool) {
	if len(b) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// ipOf reads an address of an attribute.
func ipOf(b []byte) (netip.Addr, bool) {
	switch len(b) {
	case 4, 16:
		return netip.AddrFromSlice(b)
	}
	return netip.Addr{}, false
}

// A reply collects messages into datagrams.
type reply struct {
	to    header // the request: its seq and the socket's port go into every message
	multi bool
	out   [][]byte
	cur   []byte
	start int // of the message being written

	filtered bool // a dump leaves out what was not asked for
}

// begin starts a message with its fixed part, any struct of plain fields.
func (p *reply) begin(typ linux.NlMsgType, fixed any) {
	p.start = len(p.cur)
	var flags linux.NlMsgFlags
	if p.multi {
		flags = linux.NLM_F_MULTI
		if p.filtered {
			flags |= linux.NLM_F_DUMP_FILTERED
		}
	}
	p.cur = appendHeader(p.cur, header{typ: typ, flags: flags, seq: p.to.seq, pid: p.to.pid})
	b, err := binary.Append(p.cur, binary.LittleEndian, fixed)
	if err == nil {
		p.cur = b
	}
	p.pad()
}

func appendHeader(b []byte, h header) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.typ))
	b = binary.LittleEndian.AppendUint16(b, uint16(h.flags))
	b = binary.LittleEndian.AppendUint32(b, h.seq)
	return binary.LittleEndian.AppendUint32(b, h.pid)
}

func (p *reply) pad() {
	for len(p.cur)%linux.NLA_ALIGNTO != 0 {
		p.cur = append(p.cur, 0)
	}
}

// attr adds an attribute.
func (p *reply) attr(typ uint16, data []byte) {
	p.cur = binary.LittleEndian.AppendUint16(p.cur, uint16(linux.NLA_HDRLEN+len(data)))
	p.cur = binary.LittleEndian.AppendUint16(p.cur, typ)
	p.cur = append(p.cur, data...)
	p.pad()
}

func (p *reply) attrU8(typ uint16, v uint8) { p.attr(typ, []byte{v}) }
func (p *reply) attrU32(typ uint16, v uint32) {
	p.attr(typ, binary.LittleEndian.AppendUint32(nil, v))
}
func (p *reply) attrString(typ uint16, s string)  { p.attr(typ, append([]byte(s), 0)) }
func (p *reply) attrIP(typ uint16, ip netip.Addr) { p.attr(typ, ip.AsSlice()) }
func (p *reply) attrStruct(typ uint16, fixed any) {
	if b, err := binary.Append(nil, binary.LittleEndian, fixed); err == nil {
		p.attr(typ, b)
	}
}

// nest begins an attribute of attributes; unnest ends it.
func (p *reply) nest(typ uint16) int {
	at := len(p.cur)
	p.attr(typ, nil)
	return at
}

func (p *reply) unnest(at int) {
	binary.LittleEndian.PutUint16(p.cur[at:], uint16(len(p.cur)-at))
}

// end finishes a message. In a dump, one that does not fit the datagram begins a new one.
func (p *reply) end() {
	binary.LittleEndian.PutUint32(p.cur[p.start:], uint32(len(p.cur)-p.start))
	if len(p.cur) > dumpSize && p.start > 0 {
		p.out = append(p.out, p.cur[:p.start:p.start])
		p.cur = append([]byte(nil), p.cur[p.start:]...)
	}
	p.start = len(p.cur)
}

// datagrams returns what has been collected.
func (p *reply) datagrams() [][]byte {
	if len(p.cur) > 0 {
		p.out = append(p.out, p.cur)
		p.cur, p.start = nil, 0
	}
	return p.out
}

// done ends a dump.
func (p *reply) done() {
	p.begin(linux.NLMSG_DONE, int32(0))
	p.end()
}

// acknowledgement is the answer to a request that asked for one or failed.
type acknowledgement struct {
	port   uint32
	err    error
	capped bool
	text   string // NLMSGERR_ATTR_MSG; "": none
}

func (a acknowledgement) write(r *request) []byte {
	errno, _ := a.err.(linux.Errno)
	h := header{typ: linux.NLMSG_ERROR, seq: r.seq, pid: a.port}
	echo := r.raw
	if errno == 0 || a.capped {
		h.flags |= linux.NLM_F_CAPPED
		echo = echo[:linux.NLMSG_HDRLEN]
	}
	p := reply{cur: appendHeader(nil, header{})}
	p.cur = binary.LittleEndian.AppendUint32(p.cur, uint32(-int32(errno)))
	p.cur = append(p.cur, echo...)
	if a.text != "" && errno != 0 {
		h.flags |= linux.NLM_F_ACK_TLVS
		p.pad()
		p.attrString(linux.NLMSGERR_ATTR_MSG, a.text)
	}
	h.length = uint32(len(p.cur))
	copy(p.cur, appendHeader(nil, h))
	return p.cur
}

// acknowledge answers a call as the socket's options want it.
func (s *Socket) acknowledge(k *call, err error) []byte {
	s.mu.Lock()
	a := acknowledgement{port: s.port, err: err, capped: s.flags&capAck != 0}
	if s.flags&extAck != 0 {
		a.text = k.text
	}
	s.mu.Unlock()
	return a.write(k.r)
}
