package network

import (
	"bytes"
	"testing"
)

// What a Sentry, a guest or a resolver says is read without leaving its bounds.
func FuzzDNS(f *testing.F) {
	f.Add([]byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03web\x07example\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"))
	f.Add([]byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, end, err := question(b)
		if err == nil {
			if end > len(b) || len(name) > 256 {
				t.Errorf("%q ends at %d of %d", name, end, len(b))
			}
			if r := refusal(b, end); len(r) != end {
				t.Errorf("a refusal of %d bytes", len(r))
			}
		}
		answers(b)
	})
}

func FuzzMessage(f *testing.F) {
	f.Add((&message{Op: opEcho, ID: 1, Data: []byte("x")}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(m.encode())
		if err != nil || again.Op != m.Op || again.ID != m.ID || again.From != m.From || again.To != m.To || !bytes.Equal(again.Data, m.Data) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzHop(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x0f\x08\x00\x45\x00\x00\x20\x00\x00\x40\x00\x40\x01\xf8\xf3\x0a\x00\x02\x0f\x5d\xb8\xd8\x22\x08\x00\x72\x36\xa6\xf7\x00\x01ping"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 14 {
			describe(b)
		}
	})
}
