package nettext_test

import (
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/nettext"
	"cordon/sentry/socket/unix"
	"cordon/sentry/vfs"
)

func TestTexts(t *testing.T) {
	stack, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	u := cred.NewRootNamespace()
	ns := socket.NewNamespace(stack, u)
	defer ns.DecRef()
	c := &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)}
	reg := socket.NewRegistry(inet.Provider{}, unix.NewProvider())
	open := func(f linux.AddressFamily, typ linux.SockType, a socket.Address) socket.Socket {
		t.Helper()
		s, err := reg.New(c, ns, f, typ, 0)
		if err == nil && a != nil {
			err = s.Bind(c, a)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Release)
		return s
	}
	l := open(linux.AF_INET, linux.SOCK_STREAM, socket.Address{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	l.Listen(c, 1)
	open(linux.AF_INET, linux.SOCK_STREAM, nil)
	open(linux.AF_INET6, linux.SOCK_DGRAM, append(socket.Address{10, 0, 0, 53}, make([]byte, 24)...))
	open(linux.AF_UNIX, linux.SOCK_STREAM, socket.Address("\x01\x00\x00name")).Listen(c, 1)

	lines := func(name string) []string {
		return strings.Split(strings.TrimSuffix(string(nettext.Texts{}.Text(ns, name)), "\n"), "\n")
	}
	for name, want := range map[string]string{
		"tcp":      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 100 0 0 10 0",
		"udp6":     "    0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 0000000000000000 0",
		"unix":     "0000000000000000: 00000001 00000000 00010000 0001 04     0 @name",
		"if_inet6": "00000000000000000000000000000001 01 80 10 80       lo",
	} {
		ls := lines(name)
		if got := strings.TrimRight(ls[len(ls)-1], " "); got != want {
			t.Errorf("%s ends in\n%q, want\n%q", name, got, want)
		}
	}
	if ls := lines("tcp"); len(ls) != 2 || len(ls[0]) != 149 || len(ls[1]) != 149 {
		t.Errorf("tcp is %q", ls)
	}
	if ls := lines("dev"); len(ls) != 3 || !strings.HasPrefix(ls[2], "    lo: ") {
		t.Errorf("dev is %q", ls)
	}
	for _, name := range (nettext.Texts{}).Names() {
		b := nettext.Texts{}.Text(ns, name)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Errorf("%s does not end in a newline", name)
		}
		if name == "snmp" || name == "netstat" {
			ls := lines(name)
			for i := 0; i+1 < len(ls); i += 2 {
				if len(strings.Fields(ls[i])) != len(strings.Fields(ls[i+1])) {
					t.Errorf("%s: %q has other columns than %q", name, ls[i], ls[i+1])
				}
			}
		}
	}
	if b := (nettext.Texts{}).Text(nil, "tcp"); b != nil {
		t.Errorf("text of no namespace: %q", b)
	}
}
