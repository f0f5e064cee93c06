package netstack

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cordon/internal/linux"
)

// apart returns two stacks joined by a pair that was moved there: 10.8.0.1 and 10.8.0.2.
func apart(t *testing.T) (a, b *Stack) {
	t.Helper()
	var stacks [2]*Stack
	for i := range stacks {
		s, err := NewDown(nil)
		if err != nil {
			t.Fatal(err)
		}
		stacks[i] = s
	}
	a, b = stacks[0], stacks[1]
	if err := a.AddPair(LinkSpec{Name: "x"}, LinkSpec{Name: "y"}, a); err != nil {
		t.Fatal(err)
	}
	y, _ := a.InterfaceByName("y")
	if _, err := a.MoveLink(y.Index, b, "z"); err != nil {
		t.Fatal(err)
	}
	for i, s := range stacks {
		at, ok := s.InterfaceByName([]string{"x", "z"}[i])
		if !ok || at.Up || at.Started || at.Carrier || len(at.Addrs) != 0 {
			t.Fatalf("the end in stack %d is %+v", i, at)
		}
		if err := s.AddAddress(at.Index, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, 0, byte(i + 1)}), 24)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetUp(at.Index, true); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// talk sends a datagram from a to b.
func talk(t *testing.T, a, b *Stack) {
	t.Helper()
	r, w := newEnd(t, b, UDP, IPv4, 0), newEnd(t, a, UDP, IPv4, 0)
	to := Addr{IP: netip.AddrFrom4([4]byte{10, 8, 0, 2}), Port: 900}
	must(t, r.Bind(to))
	w.send([]byte("across"), &to)
	// A queue on the way may be full of what came before: then the datagram is lost, as in Linux.
	again := time.AfterFunc(time.Second, func() { _, _ = w.Write(strings.NewReader("across"), WriteOptions{To: &to}) })
	defer again.Stop()
	if got := r.readAll(6); string(got) != "across" {
		t.Errorf("received %q", got)
	}
	r.Close()
	w.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPairAcrossStacks(t *testing.T) {
	a, b := apart(t)
	talk(t, a, b)
	x, _ := a.InterfaceByName("x")
	if s, at := a.PeerOf(x.Index); s != b || !x.Carrier {
		t.Errorf("the peer of x is %d of %p, carrier %v", at, s, x.Carrier)
	}
	if _, err := a.MoveLink(LoopbackIndex, b, "lo2"); err != linux.EINVAL {
		t.Errorf("moving the loopback interface: %v", err)
	}
	if _, err := a.MoveLink(x.Index, b, "z"); err != linux.EEXIST {
		t.Errorf("moving to a name that is taken: %v", err)
	}

	// Each stack is saved by itself; the ends find each other again.
	var blobs [2]bytes.Buffer
	for i, s := range []*Stack{a, b} {
		must(t, Save(&blobs[i], []*Stack{s}, nil))
		Resume([]*Stack{s})
		s.Close()
	}
	var pairs Pairs
	var loaded [2]*Stack
	for i := range blobs {
		ss, _, err := Load(&blobs[i], nil, &pairs)
		if err != nil {
			t.Fatal(err)
		}
		loaded[i] = ss[0]
	}
	if loaded[0].Serial() != a.Serial() {
		t.Error("a stack has another serial after it was saved")
	}
	talk(t, loaded[0], loaded[1])

	// An end goes alone.
	z, _ := loaded[1].InterfaceByName("z")
	must(t, loaded[1].RemoveLink(z.Index))
	if s, _ := loaded[0].PeerOf(x.Index); s != nil {
		t.Error("the end that is left has a peer")
	}
	for _, s := range loaded {
		s.Close()
	}
}
