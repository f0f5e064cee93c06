package gofertest

import (
	"os"
	"testing"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// TestNoDescriptorsLeft: a packet whose descriptors this process cannot take is told from
// a broken one, and the next one comes as ever.
func TestNoDescriptorsLeft(t *testing.T) {
	p := Pair(t, unix.SOCK_SEQPACKET)
	to, from := donate.NewConn(p[0]), donate.NewConn(p[1])
	defer to.Close()
	defer from.Close()
	for range 2 {
		if e := to.Send([]byte("text"), p[0], p[1]); e != 0 {
			t.Fatal(e)
		}
	}
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	lowest := f.Fd() // what the next descriptor would be
	f.Close()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: uint64(lowest), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var b [16]byte
	n, fds, e := from.RecvAll(b[:])
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if n != 4 || len(fds) != 0 || e != linux.ENFILE {
		t.Errorf("without room: %d bytes, descriptors %v, %v", n, fds, e)
	}
	n, fds, e = from.RecvAll(b[:])
	if n != 4 || len(fds) != 2 || e != 0 {
		t.Errorf("with room: %d bytes, descriptors %v, %v", n, fds, e)
	}
	donate.CloseAll(fds)
}
