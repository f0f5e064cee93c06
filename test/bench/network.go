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
	}
}

func (b *bench) vethOut(rt *runtime) ([]sample, error) { return b.veth(rt) }
func (b *bench) vethIn(rt *runtime) ([]sample, error)  { return b.veth(rt, "-R") }

// vethLimit bounds one measurement, of which three seconds are iperf3's.
const vethLimit = time.Minute

// veth runs iperf3's client in a container and its server at the other end of its interface.
func (b *bench) veth(rt *runtime, flags ...string) (got []sample, err error) {
	program, err := b.ociProgram(rt)
	if err != nil {
		return nil, err
	}
	hub, box := fmt.Sprintf("bench-hub-%d", os.Getpid()), fmt.Sprintf("bench-box-%d", os.Getpid())
	defer exec.Command("ip", "netns", "del", box).Run()
	defer exec.Command("ip", "netns", "del", hub).Run()
	setup := fmt.Sprintf("ip netns add %[1]s && ip netns add %[2]s && ip link add h0 netns %[1]s type veth peer name eth0 netns %[2]s &&"+
		" ip -n %[1]s addr add 10.78.0.1/24 dev h0 && ip -n %[1]s link set h0 up && ip -n %[2]s addr add 10.78.0.2/24 dev eth0 && ip -n %[2]s link set eth0 up", hub, box)
	if out, err := exec.Command("sh", "-c", setup).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("veth: %v%s", err, tail(string(out)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), vethLimit)
	defer cancel()
	server := exec.CommandContext(ctx, "ip", "netns", "exec", hub, "iperf3", "-s")
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer server.Wait()
	defer server.Process.Kill()
	time.Sleep(200 * time.Millisecond)

	dir, err := b.vethBundle(box, append([]string{"iperf3", "-c", "10.78.0.1", "-t", "3", "-J"}, flags...))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--root", filepath.Join(b.dir, "state-"+filepath.Base(program)), "run", "--bundle", dir, "veth")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("iperf3: %v%s", err, tail(string(out)))
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

// vethBundle is a bundle with the host's programs in a network namespace.
func (b *bench) vethBundle(netns string, args []string) (string, error) {
	dir := filepath.Join(b.dir, "veth"+strings.Join(args[len(args)-1:], ""))
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"usr", "proc", "tmp", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	for _, d := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+d, filepath.Join(root, d)); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2", "root": map[string]any{"path": "rootfs"},
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
			{"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"rbind", "ro"}},
		},
		"process": map[string]any{"args": args, "env": []string{"PATH=/usr/bin:/bin"}, "cwd": "/", "user": map[string]any{"uid": 0, "gid": 0}},
		"linux": map[string]any{"namespaces": []map[string]any{
			{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network", "path": "/run/netns/" + netns},
		}},
	})
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}
