package netstack

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"cordon/internal/linux"
)

// newTun makes an interface of packets, 10.8.0.1/24, that is up, with the test as its other side.
func newTun(t *testing.T, s *Stack) (*Tun, chan struct{}) {
	t.Helper()
	tun, err := s.AddTun(LinkSpec{Name: "tun0"}, true, TunConf{Flags: linux.IFF_NO_PI, HeaderSize: VNetHeaderSize, Persistent: true, Owner: 7})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 100)
	if err := tun.Attach(func() { told <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	_, index := tun.Where()
	if err := s.AddAddress(index, netip.MustParsePrefix("10.8.0.1/24")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetUp(index, true); err != nil {
		t.Fatal(err)
	}
	return tun, told
}

// ping is an echo request from 10.8.0.2 to 10.8.0.1.
func ping() []byte {
	return []byte{
		0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xce, 10, 8, 0, 2, 10, 8, 0, 1,
		8, 0, 0xf7, 0xfe, 0, 0, 0, 1,
	}
}

// nextIPv4 is the next IPv4 packet that the stack sends.
func nextIPv4(t *testing.T, tun *Tun, told chan struct{}) []byte {
	t.Helper()
	for limit := time.After(10 * time.Second); ; {
		if p := tun.Take(); p != nil {
			if p[0]>>4 == 4 && p[9] == 1 {
				return p
			}
			continue
		}
		select {
		case <-told:
		case <-limit:
			t.Fatal("nothing was sent")
		}
	}
}

func TestTun(t *testing.T) {
	t.Run("a ping is answered", func(t *testing.T) {
		tun, told := newTun(t, newStack(t))
		if err := tun.Put(ping(), nil); err != nil {
			t.Fatal(err)
		}
		if p := nextIPv4(t, tun, told); len(p) != 28 || p[20] != 0 || !bytes.Equal(p[16:20], []byte{10, 8, 0, 2}) {
			t.Errorf("answered with %x", p)
		}
	})
	t.Run("one program", func(t *testing.T) {
		tun, _ := newTun(t, newStack(t))
		if err := tun.Attach(func() {}); err != error(linux.EBUSY) {
			t.Errorf("a second one: %v", err)
		}
	})
	t.Run("down and gone", func(t *testing.T) {
		s := newStack(t)
		tun, _ := newTun(t, s)
		_, index := tun.Where()
		s.SetUp(index, false)
		if err := tun.Put(ping(), nil); err != error(linux.EIO) {
			t.Errorf("down: %v", err)
		}
		s.RemoveLink(index)
		if err := tun.Put(ping(), nil); err != error(linux.EBADFD) {
			t.Errorf("gone: %v", err)
		}
	})
	t.Run("a checksum is completed", func(t *testing.T) {
		tun, told := newTun(t, newStack(t))
		p := ping()
		p[22], p[23] = 0, 0
		// Start and place of the sum; there is none over addresses.
		if err := tun.Put(p, &[VNetHeaderSize]byte{vnetNeedsCsum, 0, 28, 0, 0, 0, 20, 0, 2, 0}); err != nil {
			t.Fatal(err)
		}
		if p := nextIPv4(t, tun, told); p[20] != 0 {
			t.Errorf("answered with %x", p)
		}
	})
	t.Run("moved", func(t *testing.T) {
		s, to := newStack(t), newStack(t)
		tun, _ := newTun(t, s)
		_, index := tun.Where()
		if _, err := s.MoveLink(index, to, "other"); err != nil {
			t.Fatal(err)
		}
		if at, _ := tun.Where(); at != to {
			t.Error("it is not where it was moved to")
		}
		if i, ok := to.InterfaceByName("other"); !ok || !i.Bare || !i.Carrier || i.Up {
			t.Errorf("it is %+v", i)
		}
	})
	t.Run("saved", func(t *testing.T) {
		s := newStack(t)
		newTun(t, s)
		var b bytes.Buffer
		if err := Save(&b, []*Stack{s}, nil); err != nil {
			t.Fatal(err)
		}
		Resume([]*Stack{s})
		stacks, _, err := Load(&b, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer stacks[0].Close()
		i, ok := stacks[0].InterfaceByName("tun0")
		tun := stacks[0].TunOf(i.Index)
		if !ok || tun == nil || !i.Bare || !i.Up || i.Carrier || tun.Conf().Owner != 7 || !tun.Conf().Persistent {
			t.Fatalf("loaded: %+v", i)
		}
		told := make(chan struct{}, 100)
		tun.Attach(func() { told <- struct{}{} })
		if err := tun.Put(ping(), nil); err != nil {
			t.Fatal(err)
		}
		nextIPv4(t, tun, told)
	})
}

// TestTunImageThatCannotBe restores an interface whose program's header has less room than it is said to hold.
func TestTunImageThatCannotBe(t *testing.T) {
	s := newStack(t)
	for _, size := range []uint32{0, VNetHeaderSize - 1, MaxVNetHeader + 1, 1 << 16} {
		l := &linkImage{index: 7, tun: tunImage{bare: true, numbers: []uint32{linux.IFF_VNET_HDR, size, 0, 0, 0}}}
		if err := s.restoreTun(l, LinkSpec{Name: "tun7"}); err != linux.EINVAL {
			t.Errorf("a header of %d bytes: %v", size, err)
		}
	}
}
