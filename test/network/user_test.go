package network

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostAddr is an address of the host that is not loopback.
func hostAddr(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("needs an address that is not loopback")
	return ""
}

// website answers with text at an address of the host's.
func website(t *testing.T, addr, text string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestUserNetwork(t *testing.T) {
	needUserNS(t)
	w := newWorld(t, ordinary())
	addr := hostAddr(t)
	first, second := website(t, addr, "first"), website(t, addr, "second")
	hidden := website(t, "127.0.0.1", "hidden")
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	_, port, _ := net.SplitHostPort(host(hidden))

	for _, tc := range []struct {
		name  string
		flags []string
		urls  []string
		want  []string
	}{
		{"reaches_the_host's_network_but_not_its_loopback", nil, []string{first, hidden, "http://10.0.2.2:" + port}, []string{"first", "failed", "failed"}},
		{"reaches_the_loopback_if_asked", []string{"--allow-host-loopback"}, []string{"http://10.0.2.2:" + port}, []string{"hidden"}},
		{"reaches_what_is_allowed_only", []string{"--allow-net", host(first)}, []string{first, second}, []string{"first", "failed"}},
		{"does_not_reach_what_is_denied", []string{"--deny-net=" + host(first)}, []string{first, second}, []string{"failed", "second"}},
		{"reaches_nothing_if_denied", []string{"--deny-net"}, []string{first}, []string{"failed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := fields(w.must(w.guest(append([]string{"--network", "user"}, tc.flags...), "get", tc.urls...)...))
			if strings.Join(got, " ") != strings.Join(tc.want, " ") {
				t.Errorf("%q, not %q", got, tc.want)
			}
		})
	}
	t.Run("is_an_ordinary_user's_default", func(t *testing.T) {
		if os.Geteuid() == 0 && w.uid < 0 {
			t.Skip("is root")
		}
		if got := fields(w.must(w.guest(nil, "get", first)...)); len(got) != 1 || got[0] != "first" {
			t.Errorf("%q", got)
		}
	})
	t.Run("writes_a_line_for_what_was_denied", func(t *testing.T) {
		log := filepath.Join(w.dir, "state", "log")
		args := append([]string{"--log", log, "--log-format", "json"}, w.guest([]string{"--deny-net"}, "get", first)...)
		w.must(args...)
		data, err := os.ReadFile(log)
		w.check(err)
		if !bytes.Contains(data, []byte(`"msg":"egress denied","proto":"tcp","to":"`+host(first)+`"`)) {
			t.Errorf("%s", data)
		}
	})
	t.Run("publishes_ports", func(t *testing.T) {
		p := freePort(t)
		r := w.start([]string{"-p", fmt.Sprintf("127.0.0.1:%d:7", p), "-p", fmt.Sprintf("127.0.0.1:%d:7/udp", p)}, "serve", "7")
		for _, network := range []string{"tcp", "udp"} {
			got, err := exchange(network, fmt.Sprintf("127.0.0.1:%d", p), "hello")
			if err != nil || got != "HELLO" {
				t.Errorf("%s: %q, %v", network, got, err)
			}
		}
		r.in.Close()
		r.Wait()
	})
	t.Run("leaves_no_broker", func(t *testing.T) {
		for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
			left := w.processes()
			if len(left) == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("still there: %v", left)
			}
		}
	})
	t.Run("refuses_bad_flags", func(t *testing.T) {
		for _, flags := range [][]string{
			{"--allow-net", "a b"}, {"--allow-net", "x:99999"}, {"-p", "80"}, {"-p", "0:80"}, {"--network", "none", "--deny-net"}, {"--net", "../x"},
			{"--net", "nosuch:10.0.0.1/24"}, {"--route", "default=10.0.0.1"},
		} {
			cmd := w.cmd(w.guest(flags, "stay")...)
			if out, err := cmd.CombinedOutput(); err == nil || !bytes.HasPrefix(out, []byte("runsc: ")) {
				t.Errorf("%q: %v, %q", flags, err, out)
			}
		}
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
