package netstack

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// joined returns two stacks with an interface each, joined by a pair of sockets: 10.9.0.1 and 10.9.0.2, fd09::1 and ::2.
func joined(t *testing.T) (a, b *Stack) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all [2]*Stack
	for i := range all {
		s, err := New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		if err := s.AddLink(0, Link{Name: "eth0", HWAddr: HWAddr{2, 0, 0, 0, 0, byte(i + 1)}, MTU: 1500, FD: fds[i]}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"10.9.0.%/24", "fd09::%/64"} {
			p = string(bytes.ReplaceAll([]byte(p), []byte("%"), []byte{byte('1' + i)}))
			if err := s.AddAddress(2, netip.MustParsePrefix(p)); err != nil {
				t.Fatal(err)
			}
		}
		all[i] = s
	}
	return all[0], all[1]
}

type payload struct{ *bytes.Reader }

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestFrameLink(t *testing.T) {
	for _, tc := range []struct {
		name   string
		family Family
		peer   string
	}{{"ipv4", IPv4, "10.9.0.2"}, {"ipv6", IPv6, "fd09::2"}} {
		t.Run(tc.name+"/carries_datagrams_and_streams", func(t *testing.T) {
			a, b := joined(t)
			for _, kind := range []Kind{UDP, TCP} {
				to := Addr{IP: netip.MustParseAddr(tc.peer), Port: 7}
				server, client := endpoint(t, b, kind, tc.family), endpoint(t, a, kind, tc.family)
				check(t, server.Bind(to))
				if kind == TCP {
					check(t, server.Listen(1))
				}
				if err := client.Connect(to); err != nil && kind == UDP {
					t.Fatal(err)
				}
				eventually(t, "writable", func() bool { return client.Readiness(EventOut)&EventOut != 0 })
				want := bytes.Repeat([]byte("frame"), 250)
				if n, err := client.Write(payload{bytes.NewReader(want)}, WriteOptions{}); n != len(want) {
					t.Fatalf("%d, %v", n, err)
				}
				reader := server
				if kind == TCP {
					eventually(t, "accepted", func() bool {
						c, _, err := server.Accept()
						if err == nil {
							reader = c
							t.Cleanup(c.Close)
						}
						return err == nil
					})
				}
				var got bytes.Buffer
				eventually(t, "received", func() bool {
					reader.Read(&got, ReadOptions{})
					return got.Len() == len(want)
				})
				if !bytes.Equal(got.Bytes(), want) {
					t.Error("other bytes arrived")
				}
			}
		})
	}
	t.Run("of_another_station_is_not_for_the_stack", func(t *testing.T) {
		a, b := joined(t)
		check(t, b.SetHWAddr(2, HWAddr{2, 0, 0, 0, 0, 9}))
		check(t, a.AddNeighbour(Neighbour{Addr: netip.MustParseAddr("10.9.0.2"), HWAddr: [6]byte{2, 0, 0, 0, 0, 2}, Index: 2}))
		before := b.Counters().IPReceives
		client := endpoint(t, a, UDP, IPv4)
		check(t, client.Connect(Addr{IP: netip.MustParseAddr("10.9.0.2"), Port: 7}))
		for range 3 {
			if _, err := client.Write(payload{bytes.NewReader([]byte("x"))}, WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		check(t, a.AddNeighbour(Neighbour{Addr: netip.MustParseAddr("10.9.0.2"), HWAddr: [6]byte{2, 0, 0, 0, 0, 9}, Index: 2}))
		if _, err := client.Write(payload{bytes.NewReader([]byte("x"))}, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the one that is for it", func() bool { return b.Counters().IPReceives > before })
		if n := b.Counters().IPReceives - before; n != 1 {
			t.Errorf("%d packets reached the stack", n)
		}
	})
	t.Run("goes_and_comes_back_by_another_name", func(t *testing.T) {
		a, _ := joined(t)
		check(t, a.Rename(2, "wan"))
		if _, ok := a.InterfaceByName("wan"); !ok {
			t.Error("no wan")
		}
		check(t, a.RemoveLink(2))
		if len(a.Interfaces()) != 1 || len(a.Routes()) != 2 {
			t.Errorf("left: %v, %v", a.Interfaces(), a.Routes())
		}
	})
}

func endpoint(t *testing.T, s *Stack, k Kind, f Family) *Endpoint {
	t.Helper()
	e, err := s.NewEndpoint(k, f, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
