package netstack

import (
	"context"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// LinkSpec is an interface to make that is nobody's but the stack's own. Zeros are defaults.
type LinkSpec struct {
	Name   string
	HWAddr HWAddr
	MTU    uint32
}

// Kinds of links that the stack makes itself.
const (
	kindDummy = "dummy"
	kindPair  = "veth"
)

const defaultMTU = 1500

// AddDummy makes an interface that loses what it is given. It is down.
func (s *Stack) AddDummy(spec LinkSpec) error {
	l := &dummyLink{}
	return s.addVirtual(s.nextIndex(), spec, l, linkEntry{kind: kindDummy, ether: &l.ether})
}

func (s *Stack) addVirtual(index int32, spec LinkSpec, l stack.LinkEndpoint, entry linkEntry) error {
	if !validName(spec.Name) {
		return linux.EINVAL
	}
	if len(s.s.NICInfo()) >= maxLinks {
		return linux.ENFILE
	}
	if spec.MTU == 0 {
		spec.MTU = defaultMTU
	}
	if spec.HWAddr == (HWAddr{}) && !entry.ether.bare {
		spec.HWAddr = s.randomHWAddr()
	}
	entry.ether.init(spec.MTU, spec.HWAddr)
	if err := s.addLink(index, spec.Name, l, entry); err != nil {
		return err
	}
	return errnoOf(s.s.DisableNIC(tcpip.NICID(index)))
}

// randomHWAddr is one that is administered here, and nobody else's with some certainty.
func (s *Stack) randomHWAddr() (a HWAddr) {
	var b [8]byte
	r := s.s.InsecureRNG()
	binary.LittleEndian.PutUint64(b[:], r.Uint64())
	copy(a[:], b[:])
	a[0] = a[0]&^1 | 2
	return a
}

// KindOf is what sort of link an interface has: "dummy", "veth", "tun", or what Linux calls the link it stands for.
func (s *Stack) KindOf(index int32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[tcpip.NICID(index)].kind
}

// restoreVirtual makes a link of a saved stack again.
func (s *Stack) restoreVirtual(l *linkImage, pairs *Pairs) error {
	spec := LinkSpec{Name: l.name, MTU: l.mtu}
	if !l.tun.bare {
		if len(l.hwaddr) != len(HWAddr{}) {
			return linux.EINVAL
		}
		spec.HWAddr = HWAddr([]byte(l.hwaddr))
	}
	switch l.kind {
	case kindBridge:
		return s.restoreBridge(l, spec)
	case kindPair:
		return s.restorePair(l, spec, pairs)
	}
	var err error
	if l.kind == kindTun {
		err = s.restoreTun(l, spec)
	} else {
		d := &dummyLink{}
		err = s.addVirtual(l.index, spec, d, linkEntry{kind: kindDummy, ether: &d.ether})
	}
	if err != nil || l.down && !l.started {
		return err
	}
	return s.SetUp(l.index, !l.down)
}

// A dummyLink loses everything.
type dummyLink struct{ ether }

// Attach, Wait, Close and WritePackets are stack.LinkEndpoint's.
func (d *dummyLink) Attach(to stack.NetworkDispatcher) {
	if to == nil {
		d.Close()
		return
	}
	d.dispatcher.Store(&to)
}
func (d *dummyLink) Wait()  {}
func (d *dummyLink) Close() { d.dispatcher.Store(nil) }
func (d *dummyLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	return pkts.Len(), nil
}

// Links that the stack makes itself are made again by Load: a saved stack holds nothing of them.

func (*dummyLink) StateTypeName() string                     { return "cordon/netstack.dummyLink" }
func (*dummyLink) StateFields() []string                     { return nil }
func (*dummyLink) StateSave(state.Sink)                      {}
func (d *dummyLink) StateLoad(context.Context, state.Source) { d.init(MinMTU6, HWAddr{}) }
