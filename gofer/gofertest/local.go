package gofertest

import (
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/hostfs"

	"golang.org/x/sys/unix"
)

// A Dialer starts a gofer and connects to it; the connection ends with the
// test. kill ends the gofer without warning.
type Dialer func(t testing.TB, cfg hostfs.Config) (c *client.Client, kill func())

// Local runs the gofer in this process.
func Local(t testing.TB, cfg hostfs.Config) (*client.Client, func()) {
	t.Helper()
	nine, side := Pair(t, unix.SOCK_STREAM), Pair(t, unix.SOCK_SEQPACKET)
	// Killing a process closes its sockets; these stand for that.
	killNine, killSide := dup(t, nine[1]), dup(t, side[1])
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := hostfs.Serve(nine[1], side[1], cfg); err != nil {
			t.Errorf("gofer: %v", err)
		}
	}()
	kill := func() {
		unix.Shutdown(killNine, unix.SHUT_RDWR)
		unix.Shutdown(killSide, unix.SHUT_RDWR)
	}
	c, err := client.Dial(nine[0], side[0])
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		c.Close()
		<-done
		unix.Close(killNine)
		unix.Close(killSide)
	})
	return c, kill
}

// Pair returns a socket pair.
func Pair(t testing.TB, typ int) [2]int {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("socketpair: %v", err)
	}
	return p
}

func dup(t testing.TB, fd int) int {
	t.Helper()
	d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("dup: %v", err)
	}
	return d
}
