package host

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// deputyEnds returns a deputy and the socket that it answers at.
func deputyEnds(t *testing.T) (*Deputy, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return NewDeputy(fds[0]), fds[1]
}

// TestDeputy has a deputy answer in every way, most of them wrong.
func TestDeputy(t *testing.T) {
	d, theirs := deputyEnds(t)
	defer d.Close()
	answer := func(ret int64, data ...byte) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, uint64(ret)), data...)
	}
	for _, c := range []struct {
		name   string
		answer []byte
		fds    []int
		ret    int64
		data   []byte
		err    error
	}{
		{"number", answer(7, 1, 2), nil, 7, []byte{1, 2}, nil},
		{"descriptor", answer(7, 1, 2), []int{theirs}, 7, []byte{1, 2}, nil},
		{"two descriptors", answer(7, 1, 2), []int{theirs, theirs}, 0, nil, linux.EIO},
		{"more bytes", answer(7, 1, 2, 3), nil, 7, []byte{1, 2}, nil},
		{"fewer bytes", answer(7, 1), nil, 0, nil, linux.EIO},
		{"fewer bytes and a descriptor", answer(7, 1), []int{theirs}, 0, nil, linux.EIO},
		{"no number", []byte{1}, nil, 0, nil, linux.EIO},
		{"error", answer(-2), nil, 0, nil, linux.ENOENT},
		{"error and a descriptor", answer(-2), []int{theirs}, 0, nil, linux.ENOENT},
		{"no such error", answer(-1 << 63), nil, 0, nil, linux.Errno(4095)},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := openDescriptors(t)
			if _, err := SendFDs(theirs, c.answer, c.fds...); err != nil {
				t.Fatal(err)
			}
			ret, data, fds, err := d.Ask([]byte("request"), 2, 1)
			if ret != c.ret || !bytes.Equal(data, c.data) || err != c.err {
				t.Errorf("got %d, %v, %v", ret, data, err)
			}
			if c.err == nil && len(fds) != len(c.fds) {
				t.Errorf("got descriptors %v", fds)
			}
			for _, fd := range fds {
				Close(fd)
			}
			if now := openDescriptors(t); now != before {
				t.Errorf("%d descriptors are open, %d were", now, before)
			}
			var asked [16]byte
			if n, err := unix.Read(theirs, asked[:]); err != nil || string(asked[:n]) != "request" {
				t.Errorf("it was asked %q, %v", asked[:n], err)
			}
		})
	}
}

// TestDeputyGone asks a deputy that has ended, and one that was ended.
func TestDeputyGone(t *testing.T) {
	d, theirs := deputyEnds(t)
	Close(theirs)
	for range 2 {
		if _, _, _, err := d.Ask([]byte("request"), 0, 0); err != linux.EIO {
			t.Errorf("got %v", err)
		}
		d.Close()
	}
}

func openDescriptors(t *testing.T) (n int) {
	t.Helper()
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}
