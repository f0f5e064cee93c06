package network

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sh runs a command of the host's that has to succeed.
func sh(t *testing.T, format string, args ...any) string {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// segment makes a namespace "hub" with a bridge, 10.77.0.1 and fd77::1, and for each number n a namespace whose eth0 is on
// it, with .n and ::n, as a CNI plugin would. It returns their names.
func segment(t *testing.T, nodes ...int) (hub string, boxes []string) {
	t.Helper()
	hub = fmt.Sprintf("cordon-hub-%d", os.Getpid())
	sh(t, "ip netns add %s", hub)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", hub).Run() })
	sh(t, "ip -n %[1]s link add br0 type bridge && ip -n %[1]s addr add 10.77.0.1/24 dev br0 && ip -n %[1]s addr add fd77::1/64 dev br0 nodad &&"+
		" ip -n %[1]s link set br0 up && ip -n %[1]s link set lo up", hub)
	for _, n := range nodes {
		box := fmt.Sprintf("cordon-box%d-%d", n, os.Getpid())
		sh(t, "ip netns add %s", box)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", box).Run() })
		sh(t, "ip link add p%[1]d netns %[2]s type veth peer name eth0 netns %[3]s && ip -n %[2]s link set p%[1]d master br0 up &&"+
			" ip -n %[3]s addr add 10.77.0.%[1]d/24 dev eth0 && ip -n %[3]s addr add fd77::%[1]d/64 dev eth0 nodad && ip -n %[3]s link set eth0 up &&"+
			" ip -n %[3]s route add default via 10.77.0.1 && ip -n %[3]s -6 route add default via fd77::1", n, hub, box)
		boxes = append(boxes, box)
	}
	return hub, boxes
}

// bundle writes one that runs the guest in a network namespace.
func (w *world) bundle(name, netns, what string, args ...string) string {
	w.Helper()
	dir := filepath.Join(w.dir, name)
	w.check(os.Mkdir(dir, 0o755))
	var caps []string
	for _, c := range fields("NET_RAW NET_ADMIN DAC_OVERRIDE NET_BIND_SERVICE") {
		caps = append(caps, "CAP_"+c)
	}
	mounts := []map[string]any{{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}}
	if w.resolv != "" {
		mounts = append(mounts, map[string]any{"destination": "/etc/resolv.conf", "type": "bind", "source": w.resolv, "options": []string{"rbind", "ro"}})
	}
	data, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2", "root": map[string]any{"path": "/", "readonly": true}, "mounts": mounts,
		"process": map[string]any{
			"args": append([]string{w.self}, args...), "env": []string{guestEnv + "=" + what, "PATH=/usr/bin:/bin"}, "cwd": "/",
			"user":         map[string]any{"uid": 0, "gid": 0},
			"capabilities": map[string]any{"bounding": caps, "effective": caps, "permitted": caps},
		},
		"linux": map[string]any{"namespaces": []map[string]any{
			{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network", "path": "/run/netns/" + netns},
		}},
	})
	w.check(err)
	w.check(os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644))
	return dir
}

// hosted starts the test program on the host, in a namespace.
func (w *world) hosted(netns, what string, args ...string) {
	w.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", netns, w.self}, args...)...)
	cmd.Env = append(os.Environ(), guestEnv+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	w.check(err)
	out, err := cmd.StdoutPipe()
	w.check(err)
	w.check(cmd.Start())
	w.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	word := make([]byte, 5)
	if _, err := out.Read(word); err != nil {
		w.Fatalf("%s on the host: %v", what, err)
	}
}

func TestPreparedNamespace(t *testing.T) {
	root(t)
	tool(t, "ip")
	w := newWorld(t, -1)
	hub, boxes := segment(t, 2, 3)
	w.hosted(hub, "serve", "7")

	for _, addr := range []string{"10.77.0.1", "fd77::1"} {
		t.Run("reaches_the_host's_side_"+addr, func(t *testing.T) {
			for i, network := range []string{"tcp", "udp"} {
				b := w.bundle(fmt.Sprintf("send%d-%s", i, addr), boxes[0], "send", network, net.JoinHostPort(addr, "7"), "hello")
				if got := fields(w.must("run", "--bundle", b, "send")); len(got) != 1 || got[0] != "HELLO" {
					t.Errorf("%s: %q", network, got)
				}
			}
			w.must("run", "--bundle", w.bundle("pour-"+addr, boxes[0], "pour", net.JoinHostPort(addr, "8"), "50000000"), "pour")
			if got := fields(w.must("run", "--bundle", w.bundle("ping-"+addr, boxes[0], "ping", addr, "64"), "ping")); len(got) != 1 || got[0] != addr {
				t.Errorf("ping: %q", got)
			}
		})
	}
	t.Run("gives_back_what_it_took", func(t *testing.T) {
		addrs, routes := sh(t, "ip -n %s addr show eth0", boxes[0]), sh(t, "ip -n %[1]s route; ip -n %[1]s -6 route", boxes[0])
		for _, want := range []string{"10.77.0.2/24", "fd77::2/64"} {
			if !strings.Contains(addrs, want) {
				t.Errorf("%s is gone: %s", want, addrs)
			}
		}
		for _, want := range []string{"default via 10.77.0.1", "default via fd77::1"} {
			if !strings.Contains(routes, want) {
				t.Errorf("%q is gone: %s", want, routes)
			}
		}
	})
	t.Run("two_sandboxes_on_a_bridge", func(t *testing.T) {
		server := w.cmd("run", "--bundle", w.bundle("server", boxes[1], "serve", "7"), "server")
		in, err := server.StdinPipe()
		w.check(err)
		out, err := server.StdoutPipe()
		w.check(err)
		w.check(server.Start())
		defer server.Wait()
		defer in.Close()
		word := make([]byte, 5)
		if _, err := out.Read(word); err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{"10.77.0.3", "fd77::3"} {
			b := w.bundle("client-"+addr, boxes[0], "send", "tcp", net.JoinHostPort(addr, "7"), "hello")
			if got := fields(w.must("run", "--bundle", b, "client")); len(got) != 1 || got[0] != "HELLO" {
				t.Errorf("%s: %q", addr, got)
			}
			// From the host, too, and nobody but the sandbox answers.
			b2 := exec.Command("ip", "netns", "exec", hub, w.self, "tcp", net.JoinHostPort(addr, "7"), "hello")
			b2.Env = append(os.Environ(), guestEnv+"=send")
			if got, err := b2.CombinedOutput(); err != nil || strings.TrimSpace(string(got)) != "HELLO" {
				t.Errorf("from the host to %s: %q, %v", addr, got, err)
			}
		}
	})
	t.Run("a_resolver_at_docker's_address_is_asked_in_the_namespace", func(t *testing.T) {
		sh(t, "ip -n %s link set lo up", boxes[0])
		w.hosted(boxes[0], "names", "127.0.0.11:53", "10.77.0.1")
		resolv := filepath.Join(w.dir, "resolv.conf")
		w.check(os.WriteFile(resolv, []byte("nameserver 127.0.0.11\n"), 0o644))
		w.resolv = resolv
		defer func() { w.resolv = "" }()
		b := w.bundle("resolve", boxes[0], "send", "tcp", "web.example:7", "hello")
		if got := fields(w.must("run", "--bundle", b, "resolve")); len(got) != 1 || got[0] != "HELLO" {
			t.Errorf("%q", got)
		}
	})
}
