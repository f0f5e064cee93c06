package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A dockerd is Docker's daemon with its client; runsc is one of its runtimes.
type dockerd struct {
	*world
	socket string
}

func newDockerd(t *testing.T) *dockerd {
	t.Helper()
	w := newWorld(t)
	w.need("dockerd", "docker")
	d := &dockerd{w, filepath.Join(w.dir, "docker.sock")}
	config := filepath.Join(w.dir, "daemon.json")
	w.write(config, string(w.json(map[string]any{
		"data-root": w.dir + "/docker", "exec-root": "/run/docker", "pidfile": w.dir + "/docker.pid", "hosts": []string{"unix://" + d.socket},
		"iptables": false, "ip6tables": false, "bridge": "none", "cgroup-parent": "/" + w.name, "experimental": true,
		"features": map[string]bool{"buildkit": false}, "storage-driver": "vfs",
		"runtimes": map[string]any{"runsc": map[string]string{"path": w.runsc}},
	})))
	w.setenv("DOCKER_HOST", "unix://"+d.socket)
	w.setenv("DOCKER_BUILDKIT", "0")
	w.daemon("dockerd", func() bool { return w.run("docker", "version").code == 0 }, "dockerd", "--config-file", config)
	w.must("docker", "load", "-i", w.image())
	return d
}

// flags are for a container in runsc.
func (d *dockerd) flags(more ...string) []string {
	return append([]string{"--runtime", "runsc", "--network", "none"}, more...)
}

// dockerRun is `docker run --rm` of a shell's script.
func (d *dockerd) dockerRun(script string, more ...string) result {
	d.Helper()
	args := append([]string{"docker", "run", "--rm"}, d.flags(more...)...)
	return d.run(append(args, imageName, "sh", "-c", script)...)
}

// start is `docker run -d` of a script that waits.
func (d *dockerd) start(name string, more ...string) {
	d.Helper()
	args := append([]string{"docker", "run", "-d", "--name", name}, d.flags(more...)...)
	d.must(append(args, imageName, "sh", "-c", "trap 'exit 5' TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done")...)
}

func (d *dockerd) inspect(name, format string) string {
	d.Helper()
	return strings.TrimSpace(d.must("docker", "inspect", "-f", format, name))
}

func TestDocker(t *testing.T) {
	d := newDockerd(t)
	for _, test := range []struct {
		name string
		run  func(*dockerd)
	}{
		{"run gives output and exit code", dockerRuns},
		{"a container in the background is seen, entered, stopped and started", dockerLife},
		{"limits and options hold", dockerOptions},
		{"files are copied, and made into images", dockerFiles},
		{"a container goes on from its checkpoint", dockerCheckpoint},
		{"connections go on from a checkpoint", dockerCheckpointConnected},
		{"health is checked and failures are followed by restarts", dockerPolicies},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := *d.world
			w.T = t
			mine := &dockerd{&w, d.socket}
			test.run(mine)
			if left := strings.TrimSpace(mine.must("docker", "ps", "-aq")); left != "" {
				mine.Errorf("left: %s", left)
				mine.run(append([]string{"docker", "rm", "-f"}, strings.Fields(left)...)...)
			}
		})
	}
}

func dockerRuns(d *dockerd) {
	if r := d.dockerRun("uname -r; exit 7"); r.code != 7 || !strings.Contains(r.stdout, "cordon") {
		d.Errorf("run: %v", r)
	}
	args := append([]string{"docker", "run", "--rm", "-i"}, d.flags(imageName, "cat")...)
	if r := d.runIn("text", args...); r.stdout != "text" {
		d.Errorf("standard input: %v", r)
	}
	for program, code := range map[string]int{"nothing": 127, "/etc": 126} {
		if r := d.run(append([]string{"docker", "run", "--rm"}, d.flags(imageName, program)...)...); r.code != code {
			d.Errorf("%s: %v", program, r)
		}
	}
	script := fmt.Sprintf("docker run --rm -it --runtime runsc --network none %s sh -c 'test -t 0 && tty'", imageName)
	if r := d.run("script", "-qec", script, "/dev/null"); !strings.Contains(r.stdout, "/dev/pts/0") {
		d.Errorf("a terminal: %v", r)
	}
	// The profile that Docker gives every container.
	if r := d.dockerRun("grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp 2>/dev/null || echo refused", "--cap-add", "SYS_ADMIN"); !strings.Contains(r.stdout, "Seccomp:\t2") {
		d.Errorf("the filter: %v", r)
	}
	if r := d.dockerRun("grep Seccomp: /proc/self/status", "--security-opt", "seccomp=unconfined"); !strings.Contains(r.stdout, "Seccomp:\t0") {
		d.Errorf("no filter: %v", r)
	}
}

func dockerLife(d *dockerd) {
	d.start("c1")
	d.expect(3, "in", "docker", "exec", "c1", "sh", "-c", "echo in; exit 3")
	d.expect(0, "1000 /tmp b", "docker", "exec", "-w", "/tmp", "-e", "A=b", "-u", "1000", "c1", "sh", "-c", "echo $(id -u) $(pwd) $A")
	if r := d.runIn("abc", "docker", "exec", "-i", "c1", "cat"); r.stdout != "abc" {
		d.Errorf("exec -i: %v", r)
	}
	d.fails("executable file not found in $PATH", "docker", "exec", "c1", "nothing")
	d.eventually("it logs", func() bool { return strings.Contains(d.must("docker", "logs", "c1"), "tick 3\n") })
	if out := d.must("docker", "top", "c1"); strings.Count(out, "\n") < 2 {
		d.Errorf("top: %q", out)
	}
	if out := d.must("docker", "stats", "--no-stream", "--format", "{{json .}}", "c1"); strings.Contains(out, `"MemUsage":"0B`) {
		d.Errorf("stats: %q", out)
	}
	d.must("docker", "pause", "c1")
	if s := d.inspect("c1", "{{.State.Status}}"); s != "paused" {
		d.Errorf("paused: %s", s)
	}
	d.must("docker", "unpause", "c1")
	d.must("docker", "restart", "-t", "5", "c1")
	d.must("docker", "stop", "c1")
	if s := d.inspect("c1", "{{.State.Status}} {{.State.ExitCode}}"); s != "exited 5" {
		d.Errorf("stopped: %s", s)
	}
	d.must("docker", "start", "c1")
	d.must("docker", "kill", "c1")
	if s := d.inspect("c1", "{{.State.Status}} {{.State.ExitCode}}"); s != "exited 137" {
		d.Errorf("killed: %s", s)
	}
	d.must("docker", "rm", "-f", "c1")
}

func dockerOptions(d *dockerd) {
	for name, c := range map[string]struct {
		script, want string
		flags        []string
	}{
		"read-only":  {"touch /x 2>/dev/null || touch /tmp/x && echo yes", "yes\n", []string{"--read-only", "--tmpfs", "/tmp"}},
		"volume":     {"cat /file; touch /file 2>/dev/null || echo refused", "text\nrefused\n", []string{"-v", d.file("text\n") + ":/file:ro"}},
		"init":       {"cut -d ' ' -f 2 /proc/1/stat", "(docker-init)\n", []string{"--init"}},
		"limit":      {"ulimit -n; ulimit -Hn", "123\n456\n", []string{"--ulimit", "nofile=123:456"}},
		"shm":        {"df /dev/shm | grep -c 8192", "1\n", []string{"--shm-size", "8m"}},
		"user":       {"id", "uid=5 gid=6 groups=6,50", []string{"-u", "5:6", "--group-add", "50"}},
		"capability": {"grep CapBnd /proc/self/status", "0000000000002000", []string{"--cap-drop", "ALL", "--cap-add", "NET_RAW"}},
		"privileged": {"grep NoNew /proc/self/status; ls /dev/null", "0\n/dev/null\n", []string{"--privileged"}},
		"host name":  {"hostname; tail -n 1 /etc/hosts", "foo\n", []string{"--hostname", "foo"}},
		"device":     {"echo x > /dev/f 2>/dev/null || echo full", "full\n", []string{"--device", "/dev/full:/dev/f"}},
		"memory":     {"grep MemTotal /proc/meminfo", "65536 kB", []string{"-m", "64m"}},
	} {
		if r := d.dockerRun(c.script, c.flags...); !strings.Contains(r.stdout, c.want) {
			d.Errorf("%s: %v, want %q", name, r, c.want)
		}
	}
	d.start("c1", "--cpus", "0.5", "--pids-limit", "50", "-m", "64m")
	d.must("docker", "update", "-m", "100m", "--memory-swap", "200m", "c1")
	var list []struct {
		HostConfig struct{ Memory int64 }
		State      struct{ Pid int }
	}
	if err := json.Unmarshal([]byte(d.must("docker", "inspect", "c1")), &list); err != nil || list[0].HostConfig.Memory != 100<<20 {
		d.Errorf("update: %+v, %v", list, err)
	}
	d.must("docker", "rm", "-f", "c1")
	// The first process is killed for memory, or one that it waits for.
	for _, script := range []string{"x=a; while :; do x=$x$x$x; done", "(x=a; while :; do x=$x$x$x; done); echo of a child; exit 137"} {
		d.run(append([]string{"docker", "run", "--name", "full"}, d.flags("-m", "32m", imageName, "sh", "-c", script)...)...)
		if s := d.inspect("full", "{{.State.ExitCode}} {{.State.OOMKilled}}"); s != "137 true" {
			d.Errorf("out of memory: %s: %s", script, s)
		}
		d.must("docker", "rm", "full")
	}
}

// file makes a file with a text.
func (w *world) file(text string) string {
	f, err := os.CreateTemp(w.dir, "file")
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		w.Fatal(err)
	}
	return f.Name()
}

func dockerFiles(d *dockerd) {
	d.start("c1")
	d.must("docker", "exec", "c1", "sh", "-c", "echo text > /new")
	to := filepath.Join(d.dir, "copied")
	d.must("docker", "cp", "c1:/new", to)
	if data, _ := os.ReadFile(to); string(data) != "text\n" {
		d.Errorf("cp out: %q", data)
	}
	d.must("docker", "cp", to, "c1:/back")
	d.expect(0, "text", "docker", "exec", "c1", "cat", "/back")
	if out := d.must("docker", "diff", "c1"); !strings.Contains(out, "A /new") {
		d.Errorf("diff: %q", out)
	}
	d.must("docker", "commit", "c1", "committed")
	d.must("docker", "rm", "-f", "c1")
	d.expect(0, "text", append([]string{"docker", "run", "--rm"}, d.flags("committed", "cat", "/new")...)...)
	dir := filepath.Join(d.dir, "build")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		d.Fatal(err)
	}
	d.write(filepath.Join(dir, "Dockerfile"), "FROM "+imageName+"\nRUN echo built > /built\nCMD [\"cat\", \"/built\"]\n")
	d.must("docker", "build", "--network", "none", "-t", "built", dir)
	d.expect(0, "built", append([]string{"docker", "run", "--rm"}, d.flags("built")...)...)
}

func dockerPolicies(d *dockerd) {
	d.start("healthy", "--health-cmd", "test -e /tmp/ok", "--health-interval", "300ms", "--health-retries", "1")
	d.eventually("it is unhealthy", func() bool { return d.inspect("healthy", "{{.State.Health.Status}}") == "unhealthy" })
	d.must("docker", "exec", "healthy", "touch", "/tmp/ok")
	d.eventually("it is healthy", func() bool { return d.inspect("healthy", "{{.State.Health.Status}}") == "healthy" })
	d.must("docker", "rm", "-f", "healthy")
	d.must(append([]string{"docker", "run", "-d", "--name", "again", "--restart", "on-failure:2"}, d.flags(imageName, "sh", "-c", "exit 9")...)...)
	d.eventually("it was started twice more", func() bool {
		return d.inspect("again", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}") == "2 exited 9"
	})
	d.must("docker", "rm", "-f", "again")
}

func dockerCheckpoint(d *dockerd) {
	d.start("c1")
	ticks := func() int { return strings.Count(d.must("docker", "logs", "c1"), "tick") }
	d.eventually("it logs", func() bool { return ticks() > 3 })
	d.must("docker", "checkpoint", "create", "c1", "cp1")
	d.eventually("it has ended", func() bool { return d.inspect("c1", "{{.State.Status}}") == "exited" })
	n := ticks()
	d.goOn("c1", "cp1")
	d.eventually("it goes on", func() bool { return ticks() > n+3 })
	if log := d.must("docker", "logs", "c1"); strings.Count(log, "tick 1\n") != 1 {
		d.Errorf("it began anew: %q", log)
	}
	d.must("docker", "rm", "-f", "c1")
}

// goOn starts a container from its checkpoint, whose content the daemon cannot take as long as it has not collected that of the
// checkpoint's making.
func (d *dockerd) goOn(name, checkpoint string) {
	d.Helper()
	d.eventually("it is restored", func() bool {
		r := d.run("docker", "start", "--checkpoint", checkpoint, name)
		if r.code != 0 && !strings.Contains(r.stderr, "already exists") {
			d.Fatalf("restoring: %v", r)
		}
		return r.code == 0
	})
}

// dockerCheckpointConnected saves a container that is connected to another: that one is told nothing of it, and the
// connection goes on where the container gets its address again.
func dockerCheckpointConnected(d *dockerd) {
	d.must("docker", "network", "create", "--subnet", "172.31.0.0/24", "ck")
	run := func(name, ip, script string) {
		d.must("docker", "run", "-d", "--name", name, "--runtime", "runsc", "--network", "ck", "--ip", ip, imageName, "sh", "-c", script)
	}
	run("server", "172.31.0.2", "sleep 1000 | nc -l -p 7000; echo ended; sleep 1000")
	d.eventually("it listens", func() bool {
		return d.run("docker", "exec", "server", "grep", "-q", ":1B58 ", "/proc/net/tcp", "/proc/net/tcp6").code == 0
	})
	run("client", "172.31.0.3", "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done | nc 172.31.0.2 7000; sleep 1000")
	ticks := func() int { return strings.Count(d.must("docker", "logs", "server"), "tick") }
	d.eventually("it is connected", func() bool { return ticks() > 3 })
	d.must("docker", "checkpoint", "create", "client", "cp1")
	d.eventually("it has ended", func() bool { return d.inspect("client", "{{.State.Status}}") == "exited" })
	n := ticks()
	d.goOn("client", "cp1")
	d.eventually("it goes on", func() bool { return ticks() > n+3 })
	if log := d.must("docker", "logs", "server"); strings.Contains(log, "ended") || strings.Count(log, "tick 1\n") != 1 {
		d.Errorf("another connection: %q", log)
	}
	d.must("docker", "exec", "client", "ping", "-c", "1", "server")
	d.must("docker", "rm", "-f", "client", "server")
	d.must("docker", "network", "rm", "ck")
}
