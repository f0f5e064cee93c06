package netfilter

import (
	"encoding/binary"
	"net/netip"
	"time"

	"cordon/internal/lock"
	"cordon/netstack"
)

// States of connections, as NF_CT_STATE_BIT has them.
const (
	ctInvalid     = 1
	ctEstablished = 2
	ctRelated     = 4
	ctNew         = 8
	ctUntracked   = 64
)

// Limits of a tracker.
const (
	maxConnections = 64 << 10
	idleShort      = 30 * time.Second
	idleLong       = 30 * time.Minute
)

// A tuple is one direction of a connection.
type tuple struct {
	proto    uint8
	src, dst netip.AddrPort
}

func (t tuple) reverse() tuple {
	t.src, t.dst = t.dst, t.src
	return t
}

// A connection is known by all tuples that its packets have had on their way.
type connection struct {
	tuples  []tuple
	replied bool
	used    time.Time
}

// A way is one direction of a connection.
type way struct {
	c     *connection
	reply bool
}

// A tracker follows connections by their packets. The stack has a table of its own, which it keeps to itself.
type tracker struct {
	mu lock.Mutex[lock.ConnTrack]
	// guarded by mu
	ways  map[tuple]way
	swept time.Time
}

func newTracker() *tracker { return &tracker{ways: make(map[tuple]way)} }

// tupleOf reads a packet's tuple; false when it has none.
func tupleOf(p *netstack.HookPacket) (tuple, bool) {
	src, dst := p.Addresses()
	return readTuple(p.Protocol(), src, dst, p.Transport())
}

func readTuple(proto uint8, src, dst netip.Addr, b []byte) (tuple, bool) {
	const icmp, tcp, udp, icmp6 = 1, 6, 17, 58
	t := tuple{proto: proto, src: netip.AddrPortFrom(src, 0), dst: netip.AddrPortFrom(dst, 0)}
	switch proto {
	case tcp, udp:
		if len(b) < 4 {
			return t, false
		}
		t.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
		t.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	case icmp, icmp6:
		if len(b) < 8 || !isEcho(proto, b[0]) {
			return t, false
		}
		id := binary.BigEndian.Uint16(b[4:])
		t.src, t.dst = netip.AddrPortFrom(src, id), netip.AddrPortFrom(dst, id)
	}
	return t, true
}

func isEcho(proto, typ byte) bool {
	if proto == 1 {
		return typ == 0 || typ == 8
	}
	return typ == 128 || typ == 129
}

// isError says whether an ICMP message tells of another packet.
func isError(proto, typ byte) bool {
	if proto == 1 {
		return typ == 3 || typ == 4 || typ == 5 || typ == 11 || typ == 12
	}
	return proto == 58 && typ >= 1 && typ <= 4
}

// state returns the state of the packet's connection. first says that the packet has just come or been made: then it may
// begin one, or be the answer that establishes it.
func (t *tracker) state(p *netstack.HookPacket, first bool) uint32 {
	proto, b := p.Protocol(), p.Transport()
	if (proto == 1 || proto == 58) && len(b) > 0 && !isEcho(proto, b[0]) {
		if isError(proto, b[0]) {
			return t.related(p)
		}
		return ctUntracked // neighbour discovery and the like
	}
	tu, ok := tupleOf(p)
	if !ok {
		return ctInvalid
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	w, known := t.ways[tu]
	if !known {
		const flagsAt, rst = 13, 4
		if proto == 6 && (len(b) <= flagsAt || b[flagsAt]&rst != 0) {
			return ctInvalid
		}
		if !first {
			return ctNew
		}
		t.sweepLocked(now)
		if len(t.ways) >= 2*maxConnections {
			return ctInvalid
		}
		w = way{c: &connection{}}
		t.addLocked(w.c, tu)
	}
	w.c.used = now
	if w.reply {
		w.c.replied = true
		return ctEstablished
	}
	if w.c.replied {
		return ctEstablished
	}
	return ctNew
}

func (t *tracker) addLocked(c *connection, tu tuple) {
	for _, o := range c.tuples {
		if o == tu {
			return
		}
	}
	const mostTuples = 4
	if len(c.tuples) == mostTuples {
		return
	}
	c.tuples = append(c.tuples, tu)
	t.ways[tu] = way{c: c}
	if _, taken := t.ways[tu.reverse()]; !taken {
		t.ways[tu.reverse()] = way{c: c, reply: true}
	}
}

// related is the state of an ICMP error: of the connection that it is about.
func (t *tracker) related(p *netstack.HookPacket) uint32 {
	b := append(append([]byte(nil), p.Transport()...), p.Data(64)...)
	const icmpHeader = 8
	if len(b) < icmpHeader {
		return ctInvalid
	}
	b = b[icmpHeader:]
	var tu tuple
	ok := false
	if p.Family() == netstack.IPv4 && len(b) >= 20 {
		if n := int(b[0]&0xf) * 4; n >= 20 && len(b) >= n {
			tu, ok = readTuple(b[9], netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[n:])
		}
	} else if p.Family() == netstack.IPv6 && len(b) >= 40 {
		tu, ok = readTuple(b[6], netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[40:])
	}
	if !ok {
		return ctInvalid
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.ways[tu]; known {
		return ctRelated
	}
	return ctInvalid
}

// translated notes that a packet of a connection has other ends now.
func (t *tracker) translated(before tuple, p *netstack.HookPacket) {
	now, ok := tupleOf(p)
	if !ok || now == before {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, known := t.ways[before]; known && !w.reply {
		t.addLocked(w.c, now)
	}
}

// sweepLocked forgets connections that nobody uses.
func (t *tracker) sweepLocked(now time.Time) {
	if now.Sub(t.swept) < idleShort/3 && len(t.ways) < maxConnections {
		return
	}
	t.swept = now
	for tu, w := range t.ways {
		idle := idleShort
		if w.c.replied {
			idle = idleLong
		}
		if now.Sub(w.c.used) > idle {
			delete(t.ways, tu)
		}
	}
}
