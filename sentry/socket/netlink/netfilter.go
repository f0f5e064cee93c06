package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/netfilter"
	"cordon/sentry/vfs"
)

// Subsystems and batch messages of NETLINK_NETFILTER (nfnetlink.h).
const (
	nfnlSubsysTables = 10
	nfnlSubsysCompat = 11

	nfnlBatchBegin = 0x10
	nfnlBatchEnd   = 0x11
	nfnlBatchGenID = 1

	nfgenSize = 4
)

// appendNFGen writes struct nfgenmsg.
func appendNFGen(family uint8, res uint16) [nfgenSize]byte {
	return [nfgenSize]byte{family, 0, byte(res >> 8), byte(res)}
}

// netfilter answers a message that is in no batch: a question.
func (k *call) netfilter() error {
	if !k.ns().Capable(k.c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	if len(k.r.body) < nfgenSize {
		return linux.EINVAL
	}
	family, body := k.r.body[0], k.r.body[nfgenSize:]
	msg := uint8(k.r.typ)
	switch k.r.typ >> 8 {
	case nfnlSubsysCompat:
		if msg != 0 {
			return linux.EOPNOTSUPP
		}
		b, errno := netfilter.Compat(body)
		if errno != 0 {
			return errno
		}
		k.reply.multi = true // as in Linux, which says so of a single message
		k.nfItem(uint16(k.r.typ), family, 0, b)
		return nil
	case nfnlSubsysTables:
		return k.listTables(msg, family, body)
	}
	return linux.EINVAL
}

func (k *call) nfItem(typ uint16, family uint8, res uint16, attrs []byte) {
	g := appendNFGen(family, res)
	k.reply.begin(linux.NlMsgType(typ), &g)
	k.reply.cur = append(k.reply.cur, attrs...)
	k.reply.end()
}

func (k *call) listTables(msg, family uint8, body []byte) error {
	rs := k.ns().Filter()
	if msg == netfilter.MsgGetGen {
		var w netfilter.Writer
		pid, name := uint32(k.s.Port()), "cordon"
		rs.WriteGeneration(&w, pid, name)
		k.nfItem(nfnlSubsysTables<<8|netfilter.MsgNewGen, 0, uint16(rs.Generation()), w.B)
		return nil
	}
	dump := k.r.flags&linux.NLM_F_DUMP == linux.NLM_F_DUMP
	if dump {
		k.setDump()
	}
	gen := uint16(rs.Generation())
	errno := rs.List(msg, netfilter.Query{Family: family, Attrs: body}, !dump, func(it netfilter.Item) {
		k.nfItem(nfnlSubsysTables<<8|uint16(it.Type), it.Family, gen, it.Attrs)
	})
	if errno != 0 {
		return errno
	}
	return nil
}

// batch answers a datagram that is a batch (Linux: nfnetlink_rcv_batch); false when it is none.
func (s *Socket) batch(c *vfs.Caller, b []byte) bool {
	first, rest, ok := next(b)
	if !ok || first.typ != nfnlBatchBegin || s.Namespace().Stack == nil {
		return false
	}
	k := s.newCall(c, &first)
	if !s.Namespace().Capable(c, linux.CAP_NET_ADMIN) {
		s.push(s.acknowledge(k, linux.EPERM))
		return true
	}
	if len(first.body) < nfgenSize || binary.BigEndian.Uint16(first.body[2:]) != nfnlSubsysTables {
		s.push(s.acknowledge(k, linux.EOPNOTSUPP))
		return true
	}
	gen := uint32(0)
	if a, err := first.attributes(nfgenSize); err == nil && len(a[nfnlBatchGenID]) >= 4 {
		gen = binary.BigEndian.Uint32(a[nfnlBatchGenID])
	}
	t, errno := s.Namespace().Filter().Begin(gen)
	if errno != 0 {
		s.push(s.acknowledge(k, errno))
		return true
	}
	answers, good := s.applyBatch(c, t, rest)
	if !good {
		t.Abort()
	} else if errno := t.Commit(); errno != 0 {
		answers = append(answers, s.acknowledge(k, errno))
	}
	for _, d := range answers {
		s.push(d)
	}
	return true
}

// applyBatch applies the messages up to the end of a batch, all of them, so that each failure is told.
func (s *Socket) applyBatch(c *vfs.Caller, t *netfilter.Batch, b []byte) (answers [][]byte, good bool) {
	good = true
	for {
		r, rest, ok := next(b)
		if !ok {
			return answers, false // without an end, nothing counts
		}
		b = rest
		if r.typ == nfnlBatchEnd {
			return answers, good
		}
		k := s.newCall(c, &r)
		errno := linux.Errno(0)
		switch {
		case len(r.body) < nfgenSize || r.typ>>8 != nfnlSubsysTables:
			errno = linux.EINVAL
		default:
			errno = t.Apply(netfilter.Message{Type: uint8(r.typ), Family: r.body[0], Flags: r.flags, Attrs: r.body[nfgenSize:]})
		}
		switch {
		case errno != 0:
			good = false
			answers = append(answers, s.acknowledge(k, errno))
		case r.flags&linux.NLM_F_ACK != 0:
			answers = append(answers, s.acknowledge(k, nil))
		}
	}
}
