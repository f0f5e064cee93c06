package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// networkRows are taken by ROWS=network: a container in a network namespace that is joined to the host's side by veth, with
// runc in the place of native.
func networkRows() []row {
	needs := []string{"runc", "iperf3", "ip"}
	return []row{
		{key: "veth", text: "iperf3 over veth, from the container", unit: gigabit, bar: ratio(0.7), needs: needs, root: true, oci: true, measure: (*bench).vethOut},
		{key: "vethr", text: "iperf3 over veth, to the container", unit: gigabit, bar: ratio(0.7), needs: needs, root: true, oci: true, measure: (*bench).vethIn},
		{key: "vethhost", text: "iperf3 over veth from the container, --network=host", unit: gigabit, needs: needs, root: true, oci: true, measure: (*bench).vethHostOut},
		{key: "vethhostr", text: "iperf3 over veth to the container, --network=host", unit: gigabit, needs: needs, root: true, oci: true, measure: (*bench).vethHostIn},
		{key: "vethhostrr", text: "request and answer of a byte by TCP over veth, --network=host, p50", unit: micro, needs: []string{"runc", "ip"}, root: true, oci: true, measure: (*bench).vethHostRequest},
		{key: "vethrr", text: "request and answer of a byte by TCP over veth, p50", unit: micro, needs: []string{"runc", "ip"}, root: true, oci: true, measure: (*bench).vethRequest},
		{key: "vethping", text: "ping over veth, average", unit: micro, needs: []string{"runc", "ping", "ip"}, root: true, oci: true, measure: (*bench).vethPing},
	}
}

func (b *bench) vethOut(rt *runtime) ([]sample, error) { return b.veth(rt, nil) }
func (b *bench) vethIn(rt *runtime) ([]sample, error)  { return b.veth(rt, nil, "-R") }

// passThrough has a container use the sockets of the host's stack, of its own network namespace.
func passThrough() []string { return []string{"--network=host"} }

func (b *bench) vethHostOut(rt *runtime) ([]sample, error) { return b.veth(rt, passThrough()) }
func (b *bench) vethHostIn(rt *runtime) ([]sample, error)  { return b.veth(rt, passThrough(), "-R") }

// vethLimit bounds one measurement, of which three seconds are iperf3's.
const vethLimit = time.Minute

// veth runs iperf3's client in a container and its server at the other end of its interface.
func (b *bench) veth(rt *runtime, global []string, flags ...string) ([]sample, error) {
	out, err := b.besideServer(rt, global, []string{"iperf3", "-s"}, append([]string{"iperf3", "-c", vethHub(0), "-t", "3", "-J"}, flags...))
	if err != nil {
		return nil, err
	}
	var report struct {
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Rate == 0 {
		return nil, errors.New("iperf3 reports nothing" + tail(string(out)))
	}
	return []sample{{value: report.End.Received.Rate}}, nil
}

func (b *bench) vethRequest(rt *runtime) ([]sample, error)     { return b.vethAsk(rt, nil) }
func (b *bench) vethHostRequest(rt *runtime) ([]sample, error) { return b.vethAsk(rt, passThrough()) }

func (b *bench) vethAsk(rt *runtime, global []string) ([]sample, error) {
	out, err := b.besideServer(rt, global, []string{filepath.Join(b.dir, "neighbour"), "serve", "7000"},
		[]string{"/bench/neighbour", "ask", vethHub(0), "7000", askSeconds, "0"})
	if err != nil {
		return nil, err
	}
	return askFigure(string(out), 0)
}

func (b *bench) vethPing(rt *runtime) ([]sample, error) {
	out, err := b.besideServer(rt, nil, nil, []string{"ping", "-q", "-c", "500", "-i", "0.002", vethHub(0)})
	if err != nil {
		return nil, err
	}
	_, figures, _ := strings.Cut(string(out), "rtt min/avg/max/mdev = ")
	var least, average float64
	if _, err := fmt.Sscanf(figures, "%g/%g/", &least, &average); err != nil {
		return nil, errors.New("ping reports nothing" + tail(string(out)))
	}
	return []sample{{value: average * 1e6}}, nil
}

// besideServer runs a command in a container, with a server at the other end of its interface, and returns what it prints.
// global are flags of ours, which runc does not get.
func (b *bench) besideServer(rt *runtime, global, serve, args []string) ([]byte, error) {
	program, err := b.ociProgram(rt)
	if err != nil {
		return nil, err
	}
	n, err := newVeths(1)
	if err != nil {
		return nil, err
	}
	defer n.close()
	ctx, cancel := context.WithTimeout(context.Background(), vethLimit)
	defer cancel()
	if serve != nil {
		server := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.hub}, serve...)...)
		if err := server.Start(); err != nil {
			return nil, err
		}
		defer server.Wait()
		defer server.Process.Kill()
		time.Sleep(200 * time.Millisecond)
	}
	dir, err := b.vethBundle(vethContainer{netns: n.box[0], args: args})
	if err != nil {
		return nil, err
	}
	words := []string{"--root", filepath.Join(b.dir, "state-"+filepath.Base(program))}
	if len(rt.command) > 0 {
		words = append(words, global...)
	}
	cmd := exec.CommandContext(ctx, program, append(words, "run", "--bundle", dir, "veth")...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %v%s", args[0], err, tail(string(out)))
	}
	return out, nil
}

// veths are network namespaces joined to one that stands for the host, each by a pair of interfaces.
type veths struct {
	hub string
	box []string
}

// The addresses of both ends of a pair.
func vethHub(i int) string { return fmt.Sprintf("10.78.%d.1", i) }
func vethBox(i int) string { return fmt.Sprintf("10.78.%d.2", i) }

func newVeths(count int) (*veths, error) {
	n := &veths{hub: fmt.Sprintf("bench-hub-%d", os.Getpid())}
	setup := []string{"ip netns add " + n.hub}
	for i := range count {
		box := fmt.Sprintf("bench-box-%d-%d", os.Getpid(), i)
		n.box = append(n.box, box)
		setup = append(setup, fmt.Sprintf("ip netns add %[2]s && ip link add h%[3]d netns %[1]s type veth peer name eth0 netns %[2]s &&"+
			" ip -n %[1]s addr add %[4]s/24 dev h%[3]d && ip -n %[1]s link set h%[3]d up && ip -n %[2]s addr add %[5]s/24 dev eth0 && ip -n %[2]s link set eth0 up",
			n.hub, box, i, vethHub(i), vethBox(i)))
	}
	if out, err := exec.Command("sh", "-c", strings.Join(setup, " && ")).CombinedOutput(); err != nil {
		n.close()
		return nil, fmt.Errorf("veth: %v%s", err, tail(string(out)))
	}
	return n, nil
}

func (n *veths) close() {
	for _, name := range append(n.box, n.hub) {
		exec.Command("ip", "netns", "del", name).Run() // what was not made is not there
	}
}

// A vethContainer is a container with the host's programs, and those of bench in /bench, in a network namespace.
type vethContainer struct {
	netns     string
	args      []string
	resources string // of runtime-spec's linux.resources, as JSON
}

// vethBundle makes a container's bundle.
func (b *bench) vethBundle(c vethContainer) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "veth")
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"usr", "proc", "tmp", "dev", "bench"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	for _, d := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+d, filepath.Join(root, d)); err != nil {
			return "", err
		}
	}
	if c.resources == "" {
		c.resources = "{}"
	}
	raw := []string{"CAP_NET_RAW"} // ping's
	data, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2", "root": map[string]any{"path": "rootfs"},
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
			{"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"rbind", "ro"}},
			{"destination": "/bench", "type": "bind", "source": b.dir, "options": []string{"bind", "ro"}},
		},
		"process": map[string]any{
			"args": c.args, "env": []string{"PATH=/usr/bin:/bin"}, "cwd": "/", "user": map[string]any{"uid": 0, "gid": 0},
			"capabilities": map[string]any{"bounding": raw, "effective": raw, "permitted": raw},
		},
		"linux": map[string]any{
			"resources": json.RawMessage(c.resources),
			"namespaces": []map[string]any{
				{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network", "path": "/run/netns/" + c.netns},
			},
		},
	})
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}
