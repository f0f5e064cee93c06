package netstack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A Hook is a place on a packet's way (netfilter's), with its numbers.
type Hook uint8

const (
	HookPrerouting Hook = iota
	HookInput
	HookForward
	HookOutput
	HookPostrouting
	NumHooks
)

// A Stage is when at a hook a Filter is asked: before and after addresses are translated, or to translate them.
type Stage uint8

const (
	StageEarly Stage = iota // before connections are looked up in Linux: priorities up to -200
	StageBefore
	StageNAT
	StageAfter
)

// A Filter decides about packets. It is called by the stack's goroutines and by whoever sends; it takes leaf locks only.
type Filter interface {
	// Decide returns whether the packet may go on.
	Decide(h Hook, s Stage, p *HookPacket) bool
}

// A HookPacket is a packet at a hook. It is the Filter's for the time of the call.
type HookPacket struct {
	stack   *Stack
	pkt     *stack.PacketBuffer
	hook    stack.Hook
	route   *stack.Route
	addrs   stack.AddressableEndpoint
	in, out string
	verdict stack.RuleVerdict
	nat     bool
}

// SetFilter has f asked about all packets from now on; nil ends it. Established connections within the stack that go past it
// are not seen.
func (s *Stack) SetFilter(f Filter) {
	had := s.filter.Load() != nil
	if f != nil {
		s.layered.Store(true)
	}
	if f == nil {
		s.filter.Store(nil)
	} else {
		s.filter.Store(&f)
	}
	if had != (f != nil) {
		by := int64(1)
		if had {
			by = -1
		}
		s.watched.Add(by)
	}
	if had || f == nil {
		return
	}
	for _, six := range []bool{false, true} {
		for id, stages := range map[stack.TableID][stack.NumHooks]Stage{
			stack.RawID:    {stack.Prerouting: StageEarly, stack.Output: StageEarly},
			stack.MangleID: {stack.Prerouting: StageBefore, stack.Output: StageBefore, stack.Postrouting: StageBefore},
			stack.NATID:    {stack.Prerouting: StageNAT, stack.Input: StageNAT, stack.Output: StageNAT, stack.Postrouting: StageNAT},
			stack.FilterID: {stack.Input: StageAfter, stack.Forward: StageAfter, stack.Output: StageAfter},
		} {
			s.s.IPTables().ForceReplaceTable(id, s.hookTable(stages, six), six)
		}
	}
	var nf stack.NFTablesInterface = &lateHooks{s}
	s.s.SetNFTables(nf)
	s.s.SetNFTablesConfigured(true)
}

// hookTable is a table of the stack's that asks the filter at each hook.
func (s *Stack) hookTable(stages [stack.NumHooks]Stage, six bool) stack.Table {
	t := stack.Table{}
	empty := stack.EmptyFilter4()
	if six {
		empty = stack.EmptyFilter6()
	}
	for h := stack.Hook(0); h < stack.NumHooks; h++ {
		t.BuiltinChains[h], t.Underflows[h] = int(h), int(h)
		r := stack.Rule{Filter: empty, Target: &stack.AcceptTarget{}}
		if st := stages[h]; st == StageNAT {
			r.Target = &natTarget{s, h}
		} else {
			r.Matchers = []stack.Matcher{&hookMatcher{s, h, st}}
		}
		t.Rules = append(t.Rules, r)
	}
	return t
}

func (s *Stack) decide(st Stage, p *HookPacket) bool {
	f := s.filter.Load()
	if f == nil {
		return true
	}
	p.stack, p.nat = s, st == StageNAT
	return (*f).Decide(Hook(p.hook), st, p)
}

// A hookMatcher asks the filter at a hook where nothing is translated: it alone is told the names of interfaces.
type hookMatcher struct {
	s     *Stack
	hook  stack.Hook
	stage Stage
}

// Match implements stack.Matcher.
func (m *hookMatcher) Match(_ stack.Hook, pkt *stack.PacketBuffer, in, out string) (matches, drop bool) {
	p := HookPacket{pkt: pkt, hook: m.hook, in: in, out: out}
	return true, !m.s.decide(m.stage, &p)
}

// A natTarget asks the filter where addresses are translated.
type natTarget struct {
	s    *Stack
	hook stack.Hook
}

// Action implements stack.Target.
func (t *natTarget) Action(pkt *stack.PacketBuffer, hook stack.Hook, r *stack.Route, addrs stack.AddressableEndpoint) (stack.RuleVerdict, int) {
	p := HookPacket{pkt: pkt, hook: t.hook, route: r, addrs: addrs, verdict: stack.RuleAccept}
	switch t.hook {
	case stack.Prerouting, stack.Input:
		p.in = t.s.s.FindNICNameFromID(cameBy(pkt))
	default:
		if r != nil {
			p.out = t.s.s.FindNICNameFromID(r.NICID())
		}
	}
	if !t.s.decide(StageNAT, &p) {
		return stack.RuleDrop, 0
	}
	return p.verdict, 0
}

// cameBy is the interface that a packet has come in by. Before the stack has looked at whose it is, another field has that.
func cameBy(pkt *stack.PacketBuffer) tcpip.NICID {
	if pkt.InputNICID != 0 {
		return pkt.InputNICID
	}
	return pkt.NICID
}

// lateHooks asks the filter behind the translation of addresses, where the stack's own tables have no place for it.
type lateHooks struct{ s *Stack }

func (l *lateHooks) late(h stack.Hook, pkt *stack.PacketBuffer, r *stack.Route) bool {
	p := HookPacket{pkt: pkt, hook: h, route: r}
	if h == stack.Prerouting {
		p.in = l.s.s.FindNICNameFromID(cameBy(pkt))
	} else if r != nil {
		p.out = l.s.s.FindNICNameFromID(r.NICID())
	}
	return l.s.decide(StageAfter, &p)
}

func (l *lateHooks) CheckPrerouting(pkt *stack.PacketBuffer, r *stack.Route, _ stack.AddressFamily) bool {
	return l.late(stack.Prerouting, pkt, r)
}
func (l *lateHooks) CheckPostrouting(pkt *stack.PacketBuffer, r *stack.Route, _ stack.AddressFamily) bool {
	return l.late(stack.Postrouting, pkt, r)
}

// The others were asked already.
func (*lateHooks) CheckInput(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*lateHooks) CheckForward(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*lateHooks) CheckOutput(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*lateHooks) CheckIngress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*lateHooks) CheckEgress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}

// Family is IPv4 or IPv6.
func (p *HookPacket) Family() Family { return familyOf(p.pkt.NetworkProtocolNumber) }

// Network is the network header; Transport what follows it, as far as it lies together; Size the packet's length.
func (p *HookPacket) Network() []byte { return p.pkt.NetworkHeader().Slice() }

func (p *HookPacket) Transport() []byte {
	if b := p.pkt.TransportHeader().Slice(); len(b) > 0 {
		return b
	}
	const most = 64
	b, ok := p.pkt.Data().PullUp(min(most, p.pkt.Data().Size()))
	if !ok {
		return nil
	}
	return b
}

// Data is the beginning of what follows the transport header.
func (p *HookPacket) Data(n int) []byte {
	if len(p.pkt.TransportHeader().Slice()) == 0 {
		return nil
	}
	b, ok := p.pkt.Data().PullUp(min(n, p.pkt.Data().Size()))
	if !ok {
		return nil
	}
	return b
}

func (p *HookPacket) Size() int { return p.pkt.Size() - len(p.pkt.LinkHeader().Slice()) }

// Protocol is the transport's number.
func (p *HookPacket) Protocol() uint8 {
	if p.Family() == IPv6 {
		return uint8(p.pkt.TransportProtocolNumber)
	}
	return header.IPv4(p.Network()).Protocol()
}

// Addresses are the packet's ends.
func (p *HookPacket) Addresses() (src, dst netip.Addr) {
	h := p.pkt.Network()
	return fromAddress(h.SourceAddress()), fromAddress(h.DestinationAddress())
}

// In and Out name the interfaces, as far as they are known at the hook.
func (p *HookPacket) In() string  { return p.in }
func (p *HookPacket) Out() string { return p.out }

// Mark and SetMark are the packet's mark.
func (p *HookPacket) Mark() uint32     { return p.pkt.Mark }
func (p *HookPacket) SetMark(v uint32) { p.pkt.Mark = v }

// IsLocal says whether an address is the stack's.
func (p *HookPacket) IsLocal(ip netip.Addr) bool { return p.stack.IsLocal(ip) }

// Owner is who has the socket that sends the packet.
func (p *HookPacket) Owner() (uid, gid uint32, ok bool) {
	if p.pkt.Owner == nil {
		return 0, 0, false
	}
	return uint32(p.pkt.Owner.KUID()), uint32(p.pkt.Owner.KGID()), true
}

// DNAT gives the packet's connection another destination, SNAT another source; a zero port or an invalid address stays. They
// are for StageNAT: at prerouting and output, and at input and postrouting.
func (p *HookPacket) DNAT(to netip.Addr, port uint16) bool {
	if !p.nat || p.hook != stack.Prerouting && p.hook != stack.Output {
		return false
	}
	t := stack.DNATTarget{
		Addr: toAddress(to), Port: port, NetworkProtocol: p.pkt.NetworkProtocolNumber, ChangeAddress: to.IsValid(), ChangePort: port != 0,
	}
	p.verdict, _ = t.Action(p.pkt, p.hook, p.route, p.addrs)
	return p.verdict == stack.RuleAccept
}

func (p *HookPacket) SNAT(to netip.Addr, port uint16) bool {
	if !p.nat || p.hook != stack.Input && p.hook != stack.Postrouting {
		return false
	}
	t := stack.SNATTarget{
		Addr: toAddress(to), Port: port, NetworkProtocol: p.pkt.NetworkProtocolNumber, ChangeAddress: to.IsValid(), ChangePort: true,
	}
	p.verdict, _ = t.Action(p.pkt, p.hook, p.route, p.addrs)
	return p.verdict == stack.RuleAccept
}

// Masquerade is SNAT to the address of the interface that the packet leaves by.
func (p *HookPacket) Masquerade() bool {
	if !p.nat || p.hook != stack.Postrouting || p.addrs == nil {
		return false
	}
	t := stack.MasqueradeTarget{NetworkProtocol: p.pkt.NetworkProtocolNumber}
	p.verdict, _ = t.Action(p.pkt, p.hook, p.route, p.addrs)
	return p.verdict == stack.RuleAccept
}

// Redirect is DNAT to this machine.
func (p *HookPacket) Redirect(port uint16) bool {
	if !p.nat || p.hook != stack.Output && (p.hook != stack.Prerouting || p.addrs == nil) {
		return false
	}
	if port != 0 {
		t := stack.RedirectTarget{Port: port, NetworkProtocol: p.pkt.NetworkProtocolNumber}
		p.verdict, _ = t.Action(p.pkt, p.hook, p.route, p.addrs)
		return p.verdict == stack.RuleAccept
	}
	to := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if p.Family() == IPv6 {
		to = netip.IPv6Loopback()
	}
	if p.hook == stack.Prerouting {
		to = fromAddress(p.addrs.MainAddress().Address)
	}
	return p.DNAT(to, 0)
}

// Reject answers the packet with an error, whose number is nf_reject's for ICMP of its version, or with RejectReset. The
// packet is to be dropped then.
func (p *HookPacket) Reject(kind int) {
	input := p.hook == stack.Input || p.hook == stack.Prerouting
	// On loopback the sender is below us on the Go stack, with locks that the answer, which comes back to it, needs.
	s, pkt := p.stack, p.pkt.Clone()
	s.s.Clock().AfterFunc(0, func() {
		s.reject(pkt, kind, input)
		pkt.DecRef()
	})
}

func (s *Stack) reject(pkt *stack.PacketBuffer, kind int, input bool) {
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		h, ok := s.s.NetworkProtocolInstance(header.IPv4ProtocolNumber).(stack.RejectIPv4WithHandler)
		if with, known := reject4[kind]; ok && known {
			h.SendRejectionError(pkt, with, input) // where no answer can be sent, there is none
		}
		return
	}
	h, ok := s.s.NetworkProtocolInstance(header.IPv6ProtocolNumber).(stack.RejectIPv6WithHandler)
	if with, known := reject6[kind]; ok && known {
		h.SendRejectionError(pkt, with, input)
	}
}

// RejectReset is a reset of a TCP connection; other kinds are codes of "destination unreachable".
const RejectReset = -1

// Set in one place and never changed.
var reject4 = map[int]stack.RejectIPv4WithICMPType{
	RejectReset: stack.RejectIPv4WithTCPReset, 0: stack.RejectIPv4WithICMPNetUnreachable, 1: stack.RejectIPv4WithICMPHostUnreachable,
	2: stack.RejectIPv4WithICMPProtUnreachable, 3: stack.RejectIPv4WithICMPPortUnreachable, 9: stack.RejectIPv4WithICMPNetProhibited,
	10: stack.RejectIPv4WithICMPHostProhibited, 13: stack.RejectIPv4WithICMPAdminProhibited,
}

var reject6 = map[int]stack.RejectIPv6WithICMPType{
	RejectReset: stack.RejectIPv6WithTCPReset, 0: stack.RejectIPv6WithICMPNoRoute, 1: stack.RejectIPv6WithICMPAdminProhibited,
	3: stack.RejectIPv6WithICMPAddrUnreachable, 4: stack.RejectIPv6WithICMPPortUnreachable,
}

// CanReject says whether a kind of rejection is known for a family.
func CanReject(f Family, kind int) bool {
	if f == IPv6 {
		_, ok := reject6[kind]
		return ok
	}
	_, ok := reject4[kind]
	return ok
}

// IndexOf is the number of an interface, 0 for none.
func (p *HookPacket) IndexOf(name string) int32 {
	if name == "" {
		return 0
	}
	for id, n := range p.stack.s.NICInfo() {
		if n.Name == name {
			return int32(id)
		}
	}
	return 0
}
