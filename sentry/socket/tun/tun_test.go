package tun

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A request is a struct ifreq in memory.
type request struct {
	usermem.Space
	b [sizeIfreq]byte
}

func (r *request) CopyIn(_ uint64, b []byte) (int, error)  { return copy(b, r.b[:]), nil }
func (r *request) CopyOut(_ uint64, b []byte) (int, error) { return copy(r.b[:], b), nil }

// TestInterfaceGoesAtOnce has somebody take an interface away while it is being made.
func TestInterfaceGoesAtOnce(t *testing.T) {
	s, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	u := cred.NewRootNamespace()
	ns, root := socket.NewNamespace(s, u), &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)}
	defer ns.DecRef()
	var taker sync.WaitGroup
	done := make(chan struct{})
	taker.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if i, ok := s.InterfaceByName("tun7"); ok {
				_ = ns.RemoveLink(i) // its program may have
			}
		}
	})
	for range 500 {
		r := &request{}
		copy(r.b[:], "tun7")
		binary.LittleEndian.PutUint16(r.b[linux.IFNAMSIZ:], linux.IFF_TUN)
		ns.IncRef()
		f := &File{ns: ns}
		_, err := f.Ioctl(root, r, uint32(linux.TUNSETIFF), 0)
		switch err {
		case nil:
			if !bytes.HasPrefix(r.b[:], []byte("tun7\x00")) {
				t.Errorf("made %q", r.b[:linux.IFNAMSIZ])
			}
		case linux.ENODEV, linux.EBADFD, linux.EEXIST: // it went too early, or late
		default:
			t.Errorf("TUNSETIFF: %v", err)
		}
		f.Release()
	}
	close(done)
	taker.Wait()
}
