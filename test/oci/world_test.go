package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// timeout bounds every command.
const timeout = 30 * time.Second

// busybox is the host's, linked statically (Debian's busybox-static and busybox).
const busybox = "/bin/busybox"

// applets are the programs of a bundle's root.
var applets = []string{"sh", "cat", "ls", "id", "touch", "sleep", "stat", "grep", "echo", "env", "hostname", "kill", "ps", "test",
	"true", "false", "readlink", "mkdir", "rm", "df", "mount", "umount", "seq", "tty", "uname", "head", "chmod", "wc", "dd", "cut"}

// A world is a place for a test's containers.
type world struct {
	*testing.T
	runtime string
	state   string // the runtime's --root
	dir     string
	made    []string // identifiers

	// user starts the runtime; nil is root.
	user *syscall.Credential
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := os.Getenv("RUNTIME")
	if path == "" {
		path = "../../bin/runsc"
	}
	path, err := exec.LookPath(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		t.Skipf("no runtime: %v (set RUNTIME)", err)
	}
	if _, err := os.Stat(busybox); err != nil {
		t.Skipf("no busybox: %v", err)
	}
	w := &world{T: t, runtime: path, dir: t.TempDir()}
	// A short path: sockets lie below it.
	if w.state, err = os.MkdirTemp("", "oci"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.clean)
	return w
}

// clean removes what the test left, which is a failure.
func (w *world) clean() {
	for _, id := range w.made {
		if r := w.run("delete", "--force", id); r.code != 0 {
			w.Errorf("delete --force %s: %s", id, r)
		}
	}
	left, err := os.ReadDir(w.state)
	if err != nil {
		w.Error(err)
	}
	for _, e := range left {
		w.Errorf("%s is left in the state directory", e.Name())
	}
	os.RemoveAll(w.state)
}

// A result is what a command did.
type result struct {
	code        int
	out, errors string
}

func (r result) String() string {
	data, _ := json.Marshal([]any{r.code, r.out, r.errors})
	return string(data)
}

// cmd is a command of the runtime.
func (w *world) cmd(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.runtime, append([]string{"--root", w.state}, args...)...)
	cmd.Dir = w.dir
	if w.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.user}
	}
	// What a container that goes on holds open is not waited for.
	cmd.WaitDelay = time.Second
	return cmd
}

func (w *world) run(args ...string) result { return w.runIn("", args...) }

func (w *world) runIn(stdin string, args ...string) result {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := w.cmd(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		w.Fatalf("%v: %v", args, err)
	}
	if ctx.Err() != nil {
		w.Fatalf("%v does not end: %q %q", args, out.String(), errs.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must is run for what has to succeed.
func (w *world) must(args ...string) string {
	w.Helper()
	r := w.run(args...)
	if r.code != 0 {
		w.Fatalf("%v: %s", args, r)
	}
	return r.out
}

// fails runs what has to fail with one of the texts in its message.
func (w *world) fails(texts string, args ...string) {
	w.Helper()
	r := w.run(args...)
	if r.code == 0 {
		w.Errorf("%v succeeds: %s", args, r)
		return
	}
	for text := range strings.SplitSeq(texts, "|") {
		if strings.Contains(strings.ToLower(r.errors), strings.ToLower(text)) {
			return
		}
	}
	w.Errorf("%v fails without %q: %s", args, texts, r)
}

// bundle makes a bundle whose process is a shell with a script; change may be
// nil.
func (w *world) bundle(script string, change func(s *specs.Spec)) string {
	w.Helper()
	dir, err := os.MkdirTemp(w.dir, "bundle")
	if err != nil {
		w.Fatal(err)
	}
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "proc", "dev", "sys", "tmp", "etc", "root"} {
		w.check(os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	w.check(os.Link(w.busybox(), filepath.Join(root, "bin/busybox")))
	for _, a := range applets {
		w.check(os.Symlink("busybox", filepath.Join(root, "bin", a)))
	}
	s := standard()
	s.Process.Args = []string{"sh", "-c", script}
	if change != nil {
		change(s)
	}
	w.write(filepath.Join(dir, "config.json"), s)
	return dir
}

// busybox is a copy that bundles have a link to.
func (w *world) busybox() string {
	path := filepath.Join(w.dir, "busybox")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	data, err := os.ReadFile(busybox)
	w.check(err)
	w.check(os.WriteFile(path, data, 0o755))
	return path
}

func (w *world) write(path string, v any) {
	w.Helper()
	data, err := json.Marshal(v)
	w.check(err)
	w.check(os.WriteFile(path, data, 0o644))
}

func (w *world) check(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

// standard is a configuration as `spec` makes it, for a program without a
// terminal.
func standard() *specs.Spec {
	caps := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return &specs.Spec{
		Version: "1.0.2", Root: &specs.Root{Path: "rootfs"}, Hostname: "oci",
		Process: &specs.Process{
			Cwd: "/", Env: []string{"PATH=/bin"}, NoNewPrivileges: true,
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		Linux: &specs.Linux{
			Resources:  &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}},
			Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "network"}, {Type: "ipc"}, {Type: "uts"}, {Type: "mount"}},
		},
	}
}

// id makes an identifier of the test's own.
func (w *world) id() string {
	id := strings.NewReplacer("/", "-", "#", "-").Replace(w.Name()) + "-" + filepath.Base(w.state) + "-" + string(rune('a'+len(w.made)))
	w.made = append(w.made, id)
	return id
}

// output runs a container to its end and returns what it printed.
func (w *world) output(script string, change func(s *specs.Spec)) string {
	w.Helper()
	return w.must("run", "--bundle", w.bundle(script, change), w.id())
}

// create makes a container without standard files of ours.
func (w *world) create(bundle string, flags ...string) (id string) {
	w.Helper()
	id = w.id()
	w.detached(append(append([]string{"create", "--bundle", bundle}, flags...), id)...)
	return id
}

// detached runs a command whose container keeps the standard files.
func (w *world) detached(args ...string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := w.cmd(ctx, args...)
	errs, err := os.CreateTemp(w.dir, "stderr")
	w.check(err)
	defer errs.Close()
	cmd.Stderr = errs
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(errs.Name())
		w.Fatalf("%v: %v: %s", args, err, text)
	}
}

// state is what `state` says.
func (w *world) status(id string) specs.State {
	w.Helper()
	var s specs.State
	w.check(json.Unmarshal([]byte(w.must("state", id)), &s))
	return s
}

// eventually waits for a condition.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(timeout); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s: not within %v", what, timeout)
		}
	}
}

// start runs a container in the background until it has made the file "ready"
// in its root.
func (w *world) start(bundle string) (id string) {
	w.Helper()
	id = w.create(bundle)
	w.must("start", id)
	w.eventually("the program runs", func() bool {
		_, err := os.Stat(filepath.Join(bundle, "rootfs/ready"))
		return err == nil
	})
	return id
}

// idle is a script that is ready, and waits.
const idle = "touch /ready; while true; do sleep 0.1; done"
