package netstack

import (
	"bytes"
	"io"
	"net/netip"
	"testing"

	"cordon/internal/linux"
)

// mirror is an Outside that sends everything back, and refuses streams to port 9.
type mirror struct{}

func (mirror) Stream(r *StreamRequest) {
	if r.To.Port() == 9 {
		r.Refuse(linux.ECONNREFUSED)
		return
	}
	c, err := r.Accept()
	if err != nil {
		return
	}
	io.Copy(c, c)
	c.Close()
}

func (mirror) Datagrams(_ netip.AddrPort, d DatagramFlow) {
	b := make([]byte, 2048)
	for {
		n, err := d.Read(b)
		if err != nil {
			return
		}
		d.Write(b[:n])
	}
}

func (mirror) Echo(e *EchoRequest) { e.Answer(e.Data) }

func gatewayed(t *testing.T) (*Stack, *Gateway) {
	t.Helper()
	s, err := New()
	check(t, err)
	t.Cleanup(s.Close)
	g, l, err := NewGateway(GatewayConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.2.2/24"), netip.MustParsePrefix("fd00::2/64")},
		MTU:   65520, HWAddr: HWAddr{2, 0, 0, 0, 0, 2}, Guest: HWAddr{2, 0, 0, 0, 0, 15},
	}, mirror{})
	check(t, err)
	t.Cleanup(g.Close)
	l.Name = "eth0"
	check(t, s.AddLink(0, l))
	for _, p := range []string{"10.0.2.15/24", "fd00::15/64"} {
		check(t, s.AddAddress(2, netip.MustParsePrefix(p)))
	}
	for _, r := range []string{"10.0.2.2", "fd00::2"} {
		gw := netip.MustParseAddr(r)
		any := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if gw.Is6() {
			any = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		check(t, s.AddRoute(Route{Dst: any, Gateway: gw, Index: 2}))
	}
	return s, g
}

func TestGateway(t *testing.T) {
	for _, tc := range []struct {
		family Family
		far    string
	}{{IPv4, "93.184.216.34"}, {IPv6, "2606:2800::1"}} {
		to := Addr{IP: netip.MustParseAddr(tc.far), Port: 80}
		t.Run("carries_streams_and_datagrams_to_"+tc.far, func(t *testing.T) {
			s, _ := gatewayed(t)
			for _, kind := range []Kind{TCP, UDP} {
				e := endpoint(t, s, kind, tc.family)
				if err := e.Connect(to); err != nil && kind == UDP {
					t.Fatal(err)
				}
				eventually(t, "connected", func() bool { return e.Readiness(EventOut)&EventOut != 0 })
				want := bytes.Repeat([]byte("gateway"), 100)
				if n, err := e.Write(payload{bytes.NewReader(want)}, WriteOptions{}); n != len(want) {
					t.Fatalf("%d, %v", n, err)
				}
				var got bytes.Buffer
				eventually(t, "sent back", func() bool {
					e.Read(&got, ReadOptions{})
					return got.Len() == len(want)
				})
			}
		})
		t.Run("answers_echoes_for_"+tc.far, func(t *testing.T) {
			s, _ := gatewayed(t)
			e := endpoint(t, s, Ping, tc.family)
			check(t, e.Connect(Addr{IP: to.IP}))
			request := append([]byte{8, 0, 0, 0, 0, 0, 0, 1}, "ping"...)
			if tc.family == IPv6 {
				request[0] = 128
			}
			if _, err := e.Write(payload{bytes.NewReader(request)}, WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			eventually(t, "an answer", func() bool {
				e.Read(&got, ReadOptions{})
				return got.Len() > 0
			})
			if !bytes.HasSuffix(got.Bytes(), []byte("ping")) {
				t.Errorf("answered %q", got.Bytes())
			}
		})
		t.Run("refuses_with_a_reset_for_"+tc.far, func(t *testing.T) {
			s, _ := gatewayed(t)
			e := endpoint(t, s, TCP, tc.family)
			e.Connect(Addr{IP: to.IP, Port: 9})
			eventually(t, "refused", func() bool { return e.Readiness(EventErr)&(EventErr|EventHUp) != 0 })
			if err := e.TakeError(); err != error(linux.ECONNREFUSED) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("reaches_the_guest_from_outside", func(t *testing.T) {
		s, g := gatewayed(t)
		l := endpoint(t, s, TCP, IPv4)
		check(t, l.Bind(Addr{Port: 80}))
		check(t, l.Listen(1))
		c, err := g.DialStream(netip.MustParseAddrPort("198.51.100.7:1234"), netip.MustParseAddrPort("10.0.2.15:80"))
		check(t, err)
		defer c.Close()
		eventually(t, "accepted", func() bool {
			e, from, err := l.Accept()
			if err == nil {
				e.Close()
				if from.IP.String() != "198.51.100.7" {
					t.Errorf("from %v", from)
				}
			}
			return err == nil
		})
	})
	t.Run("diverts_a_loopback_address_of_the_stack", func(t *testing.T) {
		s, err := New()
		check(t, err)
		t.Cleanup(s.Close)
		to := netip.MustParseAddrPort("127.0.0.11:53")
		s.Divert([]netip.AddrPort{to}, mirror{})
		e := endpoint(t, s, UDP, IPv4)
		check(t, e.Connect(Addr{IP: to.Addr(), Port: 53}))
		if _, err := e.Write(payload{bytes.NewReader([]byte("query"))}, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		eventually(t, "an answer", func() bool {
			e.Read(&got, ReadOptions{})
			return got.String() == "query"
		})
		other := endpoint(t, s, UDP, IPv4)
		check(t, other.Connect(Addr{IP: netip.MustParseAddr("127.0.0.12"), Port: 53}))
		other.Write(payload{bytes.NewReader([]byte("query"))}, WriteOptions{})
		eventually(t, "nobody there", func() bool { return other.TakeError() == error(linux.ECONNREFUSED) })
	})
}
