package inet_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
)

// FuzzAddress gives hostile addresses to every call that takes one.
func FuzzAddress(f *testing.F) {
	f.Add([]byte(in4(80, 127, 0, 0, 1)), true)
	f.Add([]byte(in6(80, 1)), false)
	f.Add([]byte{}, false)
	f.Add([]byte{10, 0, 0}, true)
	f.Fuzz(func(t *testing.T, a []byte, six bool) {
		w := newWorld(t)
		family := linux.AF_INET
		if six {
			family = linux.AF_INET6
		}
		for _, typ := range []linux.SockType{linux.SOCK_STREAM, linux.SOCK_DGRAM} {
			for _, use := range []func(e *end){
				func(e *end) { e.Bind(w.root, a) },
				func(e *end) { e.Connect(w.root, a) },
				func(e *end) {
					q := usermem.OfBytes([]byte("x"))
					e.Send(w.root, &socket.Outgoing{To: a, Data: &q})
				},
			} {
				e := w.socket(family, typ, 0)
				use(e)
				if n, err := e.LocalName(); err != nil || len(n) != map[bool]int{false: 16, true: 28}[six] {
					t.Errorf("name %v, %v", n, err)
				}
			}
		}
	})
}
