package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A podman has its storage in the world's directory.
type podman struct{ *world }

func newPodman(t *testing.T) *podman {
	t.Helper()
	w := newWorld(t)
	w.need("podman", "conmon")
	p := &podman{w}
	// Podman leaves the group of its monitors.
	t.Cleanup(func() {
		dirs, _ := filepath.Glob("/sys/fs/cgroup/*/" + w.name + "/conmon")
		// And those of pods, where runsc has nothing to set.
		for _, h := range []string{"systemd", "unified"} {
			pods, _ := filepath.Glob("/sys/fs/cgroup/" + h + "/" + w.name + "/*")
			dirs = append(dirs, pods...)
		}
		for _, dir := range dirs {
			os.Remove(dir)
		}
	})
	p.must(p.args("load", "-q", "-i", w.image())...)
	return p
}

// args is a podman command whose containers run in runsc.
func (p *podman) args(args ...string) []string {
	return append([]string{"podman", "--log-level", "error", "--root", p.dir + "/pod", "--runroot", "/run/pod", "--tmpdir", "/run/podtmp",
		"--events-backend", "file", "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--runtime", p.runsc}, args...)
}

// runs is `podman run` of a script with flags.
func (p *podman) runs(script string, flags ...string) result {
	p.Helper()
	args := append([]string{"run", "--rm", "--network", "none", "--cgroup-parent", "/" + p.name}, flags...)
	return p.run(p.args(append(args, imageName, "sh", "-c", script)...)...)
}

func TestPodman(t *testing.T) {
	p := newPodman(t)
	for _, test := range []struct {
		name string
		run  func(*podman)
	}{
		{"run gives output and exit code", podmanRuns},
		{"a container in the background is seen, entered, stopped and started", podmanLife},
		{"options hold", podmanOptions},
		{"a checkpoint goes on where it was", podmanCheckpoint},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := *p.world
			w.T = t
			mine := &podman{&w}
			test.run(mine)
			if left := strings.TrimSpace(mine.must(mine.args("ps", "-aq")...)); left != "" {
				mine.Errorf("left: %s", left)
				mine.run(mine.args("rm", "-f", "-a", "-t", "0")...)
			}
		})
	}
}

func podmanRuns(p *podman) {
	if r := p.runs("uname -r; exit 7"); r.code != 7 || !strings.Contains(r.stdout, "cordon") {
		p.Errorf("run: %v", r)
	}
	for program, code := range map[string]int{"nothing": 127, "/etc/passwd": 126} {
		if r := p.run(p.args("run", "--rm", "--network", "none", "--cgroup-parent", "/"+p.name, imageName, program)...); r.code != code {
			p.Errorf("%s: %v", program, r)
		}
	}
	root := filepath.Join(p.rootfs())
	if r := p.run(p.args("run", "--rm", "--network", "none", "--cgroup-parent", "/"+p.name, "--rootfs", root, "sh", "-c", "echo root")...); r.stdout != "root\n" {
		p.Errorf("--rootfs: %v", r)
	}
}

func podmanLife(p *podman) {
	p.must(p.args("run", "-d", "--name", "c", "--network", "none", "--cgroup-parent", "/"+p.name, imageName, "sh", "-c",
		"trap 'exit 5' TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done")...)
	p.expect(3, "in", p.args("exec", "c", "sh", "-c", "echo in; exit 3")...)
	p.expect(0, "1000 /tmp b", p.args("exec", "-w", "/tmp", "-e", "A=b", "-u", "1000", "c", "sh", "-c", "echo $(id -u) $(pwd) $A")...)
	p.eventually("it logs", func() bool { return strings.Contains(p.must(p.args("logs", "c")...), "tick 3\n") })
	status := func() string {
		return strings.TrimSpace(p.must(p.args("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c")...))
	}
	p.must(p.args("pause", "c")...)
	if s := status(); s != "paused 0" {
		p.Errorf("paused: %s", s)
	}
	p.must(p.args("unpause", "c")...)
	p.must(p.args("stats", "--no-stream", "c")...)
	p.must(p.args("stop", "c")...)
	if s := status(); s != "exited 5" {
		p.Errorf("stopped: %s", s)
	}
	p.must(p.args("start", "c")...)
	p.must(p.args("kill", "c")...)
	p.eventually("it is killed", func() bool { return status() == "exited 137" })
	to := filepath.Join(p.dir, "copied")
	p.must(p.args("cp", "c:/etc/passwd", to)...)
	if data, _ := os.ReadFile(to); !strings.Contains(string(data), "root") {
		p.Errorf("cp: %q", data)
	}
	p.must(p.args("rm", "-f", "c")...)
}

func podmanOptions(p *podman) {
	for name, c := range map[string]struct {
		script, want string
		flags        []string
	}{
		"read-only": {"touch /x 2>/dev/null || touch /tmp/x && echo yes", "yes\n", []string{"--read-only", "--tmpfs", "/tmp"}},
		"volume":    {"cat /file; touch /file 2>/dev/null || echo refused", "text\nrefused\n", []string{"-v", p.file("text\n") + ":/file:ro"}},
		"memory":    {"grep MemTotal /proc/meminfo", "65536 kB", []string{"-m", "64m"}},
		"filter":    {"grep Seccomp: /proc/self/status", "2\n", nil},
		"user":      {"id -u", "5\n", []string{"-u", "5:6"}},
	} {
		if r := p.runs(c.script, c.flags...); !strings.Contains(r.stdout, c.want) {
			p.Errorf("%s: %v, want %q", name, r, c.want)
		}
	}
}

// podmanCheckpoint saves a container, and has it go on.
func podmanCheckpoint(p *podman) {
	// Podman wants to know that there is a CRIU, which it then does not call.
	bin := p.dir + "/bin"
	build := exec.Command("go", "build", "-trimpath", "-o", bin+"/criu", "cordon/test/clients/testdata/criu")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		p.Fatalf("go build criu: %v\n%s", err, out)
	}
	p.setenv("PATH", bin+":"+filepath.Dir(p.runsc)+":"+os.Getenv("PATH"))
	p.must(p.args("run", "-d", "--name", "ck", "--network", "none", "--cgroup-parent", "/"+p.name, imageName,
		"sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done")...)
	count := func(name string) int {
		r := p.run(p.args("exec", name, "cat", "/tmp/count")...)
		n, _ := strconv.Atoi(strings.TrimSpace(r.stdout)) // between two writes it is empty
		return n
	}
	p.eventually("it counts", func() bool { return count("ck") >= 10 })
	r := p.run(p.args("container", "checkpoint", "ck")...)
	if r.code != 0 {
		p.Fatalf("checkpoint: %v", r)
	}
	p.expect(0, "exited", p.args("inspect", "-f", "{{.State.Status}}", "ck")...)
	p.must(p.args("container", "restore", "ck")...)
	p.eventually("it counts on", func() bool { return count("ck") > 10 })
	p.must(p.args("rm", "-f", "-t", "0", "ck")...)
}
