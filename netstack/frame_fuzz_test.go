package netstack

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
)

// Whatever a peer or a guest puts into a frame, what reads it before the stack does stays within it.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x0f\x08\x00\x45\x00\x00\x20\x00\x00\x40\x00\x40\x01\xf8\xf3\x0a\x00\x02\x0f\x5d\xb8\xd8\x22\x08\x00\x72\x36\xa6\xf7\x00\x01ping"), 20)
	f.Add([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x0f\x86\xdd\x60\x00\x00\x00\x00\x0c\x3a\x40"+
		"\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0f\x26\x06\x28\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"+
		"\x80\x00\x00\x00\x00\x00\x00\x01ping"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		frame := buffer.MakeWithData(b)
		if cut > 0 && cut < len(b) {
			frame = buffer.MakeWithData(b[:cut])
			rest := buffer.MakeWithData(b[cut:])
			frame.Merge(&rest)
		}
		defer frame.Release()
		_, end := newWire(1500, HWAddr{2}, HWAddr{4})
		g := &Gateway{end: end, own: map[netip.Addr]bool{}, outside: mirror{}}
		wrong := checksumWrong(&frame)
		g.look(&frame)
		if frame.Size() != int64(len(b)) || wrong != checksumWrong(&frame) {
			t.Error("looking changed the frame")
		}
	})
}

func FuzzSegment(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x0f\x08\x00\x45\x00\x00\x2c\x00\x00\x40\x00\x40\x06\xf8\xe8\x0a\x00\x02\x0f\x5d\xb8\xd8\x22" +
		"\x00\x07\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01\x50\x10\x00\x01\x00\x00\x00\x00ping"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s segment
		if s.parse(b[:min(len(b), smallFrame)], len(b)) && (s.payload < 0 || len(s.head)+s.payload > len(b) || s.tcp <= s.ip || len(s.head) < s.tcp+20) {
			t.Errorf("%+v", s)
		}
	})
}
