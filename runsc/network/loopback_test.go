package network

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestLoopbackTakesEveryPort connects within a network namespace to ports that nobody listens on.
func TestLoopbackTakesEveryPort(t *testing.T) {
	done := make(chan string, 1) // why it was skipped
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- "no network namespace can be made: " + err.Error()
			return
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Error(err)
			return
		}
		n := None()
		defer n.CloseFDs()
		if err := addLoopback(n); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			done <- "this host lets us have no programs: " + err.Error()
			return
		} else if err != nil {
			t.Error(err)
			return
		}
		for _, l := range n.Loopback.Listeners {
			sa, err := unix.Getsockname(n.FD(l))
			if err != nil {
				t.Error(err)
				return
			}
			ip := addrPort(sa).Addr()
			for _, port := range []uint16{1, 80, 65535} {
				to := netip.AddrPortFrom(ip, port)
				if err := dial(t, to); err != nil {
					t.Errorf("%v: %v", to, err)
					continue
				}
				fd, _, err := unix.Accept4(n.FD(l), unix.SOCK_CLOEXEC)
				if err != nil {
					t.Errorf("%v: accept: %v", to, err)
					continue
				}
				sa, err := unix.Getsockname(fd)
				if err != nil || addrPort(sa) != to {
					t.Errorf("%v arrives as %v, %v", to, addrPort(sa), err)
				}
				unix.Close(fd)
			}
		}
		other := netip.MustParseAddrPort("127.0.0.11:80")
		if err := dial(t, other); err != unix.ECONNREFUSED {
			t.Errorf("%v: %v, want a refusal", other, err)
		}
		n.CloseFDs()
		own := netip.MustParseAddrPort("127.0.0.1:80")
		if err := dial(t, own); err != unix.ECONNREFUSED {
			t.Errorf("%v without the sandbox: %v, want a refusal", own, err)
		}
	}()
	select {
	case why := <-done:
		if why != "" {
			t.Skip(why)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a connection takes forever")
	}
}

// dial connects on the calling thread and closes.
func dial(t *testing.T, to netip.AddrPort) error {
	t.Helper()
	fd, err := unix.Socket(familyOf(to.Addr()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return unix.Connect(fd, sockaddr(to))
}
