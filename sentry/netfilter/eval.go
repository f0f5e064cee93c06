package netfilter

import (
	"encoding/binary"

	"cordon/netstack"
)

// maxSteps bounds what one packet costs at one hook: rules may jump more often than they are many.
const maxSteps = 1 << 20

// An eval is a packet being judged.
type eval struct {
	r     *Ruleset
	pkt   *netstack.HookPacket
	hook  netstack.Hook
	table *table
	regs  [regsSize]byte
	code  int32
	chain string
	state uint32 // of the connection
	steps int
}

// Decide implements netstack.Filter.
func (r *Ruleset) Decide(h netstack.Hook, st netstack.Stage, p *netstack.HookPacket) bool {
	prog := r.run.Load()
	if prog == nil {
		return true
	}
	family := 0
	if p.Family() == netstack.IPv6 {
		family = 1
	}
	e := eval{r: r, pkt: p, hook: h}
	if prog.tracks {
		// Connections begin where packets come in or are made; elsewhere they are looked up.
		first := st == netstack.StageEarly
		e.state = r.track.state(p, first)
	}
	for _, b := range prog.at[family][h][st] {
		e.table = b.t
		if !e.runBase(b.c) {
			return false
		}
	}
	return true
}

// runBase runs a base chain; false drops the packet.
func (e *eval) runBase(c *chain) bool {
	switch e.run(c, 0) {
	case vAccept:
		return true
	case vDrop:
		return false
	}
	if c.count != nil {
		c.count.packets.Add(1)
		c.count.bytes.Add(uint64(e.pkt.Size()))
	}
	return c.policy != vDrop
}

// run runs a chain: vAccept, vDrop, or vReturn when it came to its end.
func (e *eval) run(c *chain, depth int) int32 {
	for _, ru := range c.rules {
		e.code = vContinue
		for _, x := range ru.exprs {
			if e.steps++; e.steps > maxSteps {
				return vDrop
			}
			if !x.eval(e) || e.code != vContinue {
				break
			}
		}
		switch e.code {
		case vAccept, vDrop, vReturn:
			return e.code
		case vJump, vGoto:
			jump, next := e.code, e.table.chainOf[e.chain]
			if next == nil || depth >= maxJumps {
				return vDrop
			}
			if v := e.run(next, depth+1); v != vReturn || jump == vGoto {
				return v
			}
		}
	}
	return vReturn
}

// fragment says whether the packet is a part without a transport header.
func (e *eval) fragment() bool {
	if e.pkt.Family() == netstack.IPv6 {
		return false
	}
	h := e.pkt.Network()
	return len(h) >= 8 && binary.BigEndian.Uint16(h[6:])&0x1fff != 0
}
