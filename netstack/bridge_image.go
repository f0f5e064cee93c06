package netstack

import (
	"context"

	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"

	"cordon/internal/linux"
)

// bridgeImage is what is saved of a bridge beside its link: what it has been told. What it has learned it learns again.
type bridgeImage struct {
	numbers  []uint32 // of BridgeConf, in the order of numbers
	given    []bool
	had      bool
	stations []stationImage
}

// portImage is what is saved of a link's part in a bridge.
type portImage struct {
	master  int32 // 0: none
	numbers []uint32
}

type stationImage struct {
	addr                  string
	port                  int32
	local, static, sticky bool
}

func oneIf(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func (c *BridgeConf) numbers() []uint32 {
	return []uint32{
		c.ForwardDelay, c.HelloTime, c.MaxAge, c.AgeingTime, uint32(c.Priority), uint32(c.GroupFwdMask), oneIf(c.Snooping),
	}
}

func (c *BridgeConf) setNumbers(n []uint32) bool {
	if len(n) != len(c.numbers()) {
		return false
	}
	*c = BridgeConf{
		ForwardDelay: n[0], HelloTime: n[1], MaxAge: n[2], AgeingTime: n[3], Priority: uint16(n[4]), GroupFwdMask: uint16(n[5]),
		Snooping: n[6] != 0,
	}
	return true
}

func (b *bridge) image() (i bridgeImage) {
	if b == nil {
		return i
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i.numbers, i.given, i.had = b.conf.numbers(), []bool{b.given.addr, b.given.mtu}, b.had.Load()
	for a, st := range b.stations {
		if !st.byUser {
			continue
		}
		im := stationImage{addr: string(a[:]), local: st.local, static: st.static, sticky: st.sticky}
		if st.port != nil {
			im.port = st.port.index
		}
		i.stations = append(i.stations, im)
	}
	return i
}

func (p *bridgePort) image() (i portImage) {
	if p == nil {
		return i
	}
	c := p.public()
	return portImage{p.bridge.index, []uint32{uint32(c.Number), uint32(c.Flags), uint32(c.Priority), c.Cost, uint32(c.GroupMask)}}
}

// restoreBridge makes a bridge of a saved stack again, without its ports.
func (s *Stack) restoreBridge(l *linkImage, spec LinkSpec) error {
	var c BridgeConf
	if !c.setNumbers(l.bridge.numbers) || len(l.bridge.given) != 2 {
		return linux.EINVAL
	}
	if err := s.addBridge(l.index, spec, c, givenConf{l.bridge.given[0], l.bridge.given[1]}); err != nil {
		return err
	}
	if spec.HWAddr == (HWAddr{}) { // as after its last port has left
		_ = s.s.SetNICAddress(tcpip.NICID(l.index), spec.HWAddr.link()) // it is there
	}
	if l.down && !l.started {
		return nil
	}
	return s.SetUp(l.index, !l.down)
}

// restorePorts puts links into their bridges again when all are there, and tells bridges what they were told.
func (s *Stack) restorePorts(links []linkImage) error {
	for _, l := range links {
		n := l.port.numbers
		if l.port.master == 0 || !s.s.HasNIC(tcpip.NICID(l.index)) {
			continue // of no bridge, or an outside thing that is there no more
		}
		if len(n) != 5 || n[0] == 0 || n[0] > maxBridgePorts {
			return linux.EINVAL
		}
		c := PortConf{Flags: PortFlags(n[1]), Priority: uint16(n[2]), Cost: n[3], GroupMask: uint16(n[4])}
		if err := s.enslave(l.index, l.port.master, uint16(n[0]), c); err != nil {
			return err
		}
	}
	for _, l := range links {
		if l.kind != kindBridge {
			continue
		}
		b := s.bridgeOf(l.index)
		b.had.Store(l.bridge.had)
		for _, st := range l.bridge.stations {
			if len(st.addr) != len(HWAddr{}) {
				return linux.EINVAL
			}
			if st.port != 0 && !s.s.HasNIC(tcpip.NICID(st.port)) {
				continue
			}
			o := Station{HWAddr: HWAddr([]byte(st.addr)), Port: st.port, Local: st.local, Static: st.static, Sticky: st.sticky}
			if err := s.SetStation(l.index, o, true, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (*bridgeImage) StateTypeName() string                         { return "cordon/netstack.bridgeImage" }
func (*bridgeImage) StateFields() []string                         { return []string{"numbers", "given", "had", "stations"} }
func (i *bridgeImage) parts() []any                                { return []any{&i.numbers, &i.given, &i.had, &i.stations} }
func (i *bridgeImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *bridgeImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*portImage) StateTypeName() string                         { return "cordon/netstack.portImage" }
func (*portImage) StateFields() []string                         { return []string{"master", "numbers"} }
func (i *portImage) parts() []any                                { return []any{&i.master, &i.numbers} }
func (i *portImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *portImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*stationImage) StateTypeName() string { return "cordon/netstack.stationImage" }
func (*stationImage) StateFields() []string {
	return []string{"addr", "port", "local", "static", "sticky"}
}
func (i *stationImage) parts() []any                                { return []any{&i.addr, &i.port, &i.local, &i.static, &i.sticky} }
func (i *stationImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *stationImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }
