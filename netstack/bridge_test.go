package netstack

import (
	"bytes"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"

	"cordon/internal/linux"
)

// bridged returns a stack with a bridge, and two others behind ports of it: 10.8.0.1 and 10.8.0.2.
func bridged(t *testing.T) (host, a, b *Stack) {
	t.Helper()
	host, err := NewDown(nil)
	must(t, err)
	must(t, host.AddBridge(LinkSpec{Name: "br0"}, DefaultBridge()))
	br, _ := host.InterfaceByName("br0")
	must(t, host.SetUp(br.Index, true))
	var ends [2]*Stack
	for i, port := range []string{"p0", "p1"} {
		s, err := NewDown(nil)
		must(t, err)
		ends[i] = s
		must(t, host.AddPair(LinkSpec{Name: port}, LinkSpec{Name: "eth0"}, s))
		p, _ := host.InterfaceByName(port)
		must(t, host.Enslave(p.Index, br.Index))
		must(t, host.SetUp(p.Index, true))
		e, _ := s.InterfaceByName("eth0")
		must(t, s.AddAddress(e.Index, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, 0, byte(i + 1)}), 24)))
		must(t, s.SetUp(e.Index, true))
	}
	return host, ends[0], ends[1]
}

func TestBridge(t *testing.T) {
	host, a, b := bridged(t)
	talk(t, a, b)
	br, _ := host.InterfaceByName("br0")
	p0, _ := host.InterfaceByName("p0")
	p1, _ := host.InterfaceByName("p1")
	if p0.Master != br.Index || !br.Carrier || br.HWAddr != min6(p0.HWAddr, p1.HWAddr) {
		t.Errorf("the bridge is %+v, its first port %+v", br, p0)
	}
	for i, s := range []*Stack{a, b} {
		e, _ := s.InterfaceByName("eth0")
		st, ok := host.Station(br.Index, HWAddr(e.HWAddr))
		if want := []int32{p0.Index, p1.Index}[i]; !ok || st.Port != want || st.Local || st.Static {
			t.Errorf("the bridge knows of stack %d: %+v", i, st)
		}
	}
	for _, c := range []struct {
		index, master int32
		want          error
	}{
		{LoopbackIndex, br.Index, linux.EINVAL}, {br.Index, br.Index, linux.ELOOP}, {p0.Index, br.Index, linux.EBUSY},
		{p0.Index, p1.Index, linux.EOPNOTSUPP}, {99, br.Index, linux.ENODEV},
	} {
		if err := host.Enslave(c.index, c.master); err != c.want {
			t.Errorf("making %d a port of %d: %v, want %v", c.index, c.master, err, c.want)
		}
	}
	must(t, host.SetMTU(p1.Index, 1400))
	if br, _ = host.InterfaceByName("br0"); br.MTU != 1400 {
		t.Errorf("the bridge's MTU is %d", br.MTU)
	}
	// A port that moves leaves its bridge; the bridge that goes frees its ports.
	if _, err := host.MoveLink(p1.Index, a, "moved"); err != nil {
		t.Fatal(err)
	}
	if ports := host.Ports(br.Index); len(ports) != 1 || ports[0].Index != p0.Index {
		t.Errorf("the ports are %+v", ports)
	}
	must(t, host.RemoveLink(br.Index))
	if p0, _ = host.InterfaceByName("p0"); p0.Master != 0 {
		t.Errorf("a port of a bridge that has gone: %+v", p0)
	}
	for _, s := range []*Stack{host, a, b} {
		s.Close()
	}
}

func min6(a, b [6]byte) [6]byte {
	if bytes.Compare(a[:], b[:]) < 0 {
		return a
	}
	return b
}

func TestBridgeSaved(t *testing.T) {
	host, a, b := bridged(t)
	br, _ := host.InterfaceByName("br0")
	p0, _ := host.InterfaceByName("p0")
	told := Station{HWAddr: HWAddr{2, 0, 0, 0, 0, 9}, Port: p0.Index, Static: true, Sticky: true}
	must(t, host.SetStation(br.Index, told, true, true))
	must(t, host.SetBridge(br.Index, func(c *BridgeConf) { c.AgeingTime = 77 }))
	port, _ := host.Port(p0.Index)
	port.Flags |= PortHairpin
	must(t, host.SetPort(p0.Index, port.PortConf))
	stacks := []*Stack{host, a, b}
	var blobs [3]bytes.Buffer
	for i, s := range stacks {
		must(t, Save(&blobs[i], []*Stack{s}, nil))
		Resume([]*Stack{s})
		s.Close()
	}
	var pairs Pairs
	for i := range blobs {
		ss, _, err := Load(&blobs[i], nil, &pairs)
		must(t, err)
		stacks[i] = ss[0]
	}
	host = stacks[0]
	c, _ := host.Bridge(br.Index)
	st, ok := host.Station(br.Index, told.HWAddr)
	p, _ := host.Port(p0.Index)
	if c.AgeingTime != 77 || !ok || !st.Sticky || !st.Static || st.Port != p0.Index || p.Flags&PortHairpin == 0 || p.Number != port.Number {
		t.Errorf("the bridge has come back as %+v, station %+v, port %+v", c, st, p)
	}
	talk(t, stacks[1], stacks[2])
	for _, s := range stacks {
		s.Close()
	}
}

// TestBridgeIsBounded has a port invent stations: what there is no room for is flooded, and the ones known stay.
func TestBridgeIsBounded(t *testing.T) {
	host, a, b := bridged(t)
	talk(t, a, b)
	br, _ := host.InterfaceByName("br0")
	p := host.portOf(func() int32 { i, _ := host.InterfaceByName("p0"); return i.Index }())
	for n := range maxStations + 100 {
		frame := make([]byte, 60)
		copy(frame, []byte{2, 1, 1, 1, 1, 1, 2, 9, byte(n >> 16), byte(n >> 8), byte(n), 0})
		if !p.take(buffer.MakeWithData(frame)) {
			t.Fatal("a port has left a frame to its interface")
		}
	}
	if n := len(host.Stations(br.Index)); n > maxStations {
		t.Errorf("the bridge knows %d stations", n)
	}
	talk(t, a, b)
	for _, s := range []*Stack{host, a, b} {
		s.Close()
	}
}
