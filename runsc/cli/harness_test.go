package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/runsc/boottest"
	"cordon/runsc/container"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The test binary is runsc too: with CORDON_TEST_RUNSC set, or as a process of
// a sandbox, it runs the command line with the stand-in for the Sentry.
func TestMain(m *testing.M) {
	if os.Getenv("CORDON_TEST_RUNSC") != "" || os.Getenv("CORDON_ZONE") != "" {
		os.Exit(Run(os.Args[1:], boottest.New))
	}
	os.Exit(m.Run())
}

// commandTimeout bounds every command of a test.
const commandTimeout = time.Minute

// An env is a state directory and a way to run commands on it.
type env struct {
	*testing.T
	root string
	uid  int // the user to be, or -1
}

func newEnv(t *testing.T) *env {
	t.Helper()
	needNamespaces(t)
	e := &env{T: t, root: filepath.Join(t.TempDir(), "state"), uid: -1}
	t.Cleanup(e.checkClean)
	return e
}

// needNamespaces skips where the host lets nobody make namespaces.
func needNamespaces(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}}
	if err := cmd.Run(); err != nil {
		t.Skipf("this host refuses user namespaces: %v", err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// cmd is a command of runsc that has not been started.
func (e *env) cmd(args ...string) *exec.Cmd {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	e.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"--root", e.root}, args...)...)
	cmd.Env = append(os.Environ(), "CORDON_TEST_RUNSC=1")
	if e.uid >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(e.uid), Gid: uint32(e.uid)}}
		cmd.Dir = "/"
	}
	return cmd
}

// A result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

func (e *env) run(args ...string) result {
	e.Helper()
	return e.runIn("", args...)
}

func (e *env) runIn(stdin string, args ...string) result {
	e.Helper()
	cmd := e.cmd(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		e.Fatalf("runsc %q: %v", args, err)
	}
	return result{out.String(), errs.String(), exitCode(cmd)}
}

func exitCode(cmd *exec.Cmd) int {
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return -int(ws.Signal())
	}
	return ws.ExitStatus()
}

// must runs a command that has to succeed and returns its output.
func (e *env) must(args ...string) string {
	e.Helper()
	r := e.run(args...)
	if r.code != 0 {
		e.Fatalf("runsc %q: exit code %d, %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// fails runs a command that has to fail with one line on standard error that
// holds want.
func (e *env) fails(code int, want string, args ...string) {
	e.Helper()
	r := e.run(args...)
	if r.code != code {
		e.Errorf("runsc %q: exit code %d, not %d (%s)", args, r.code, code, r.stderr)
	}
	if strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "runsc: ") || !strings.Contains(r.stderr, want) {
		e.Errorf("runsc %q: standard error is %q, not one line with %q", args, r.stderr, want)
	}
	if r.stdout != "" {
		e.Errorf("runsc %q: printed %q", args, r.stdout)
	}
}

// checkClean fails the test when it leaves processes or state.
func (e *env) checkClean() {
	if e.uid < 0 {
		e.eventually("no process is left", func() bool { return len(processes(e.T, e.root)) == 0 })
	}
	entries, err := os.ReadDir(e.root)
	if err != nil && !os.IsNotExist(err) {
		e.Error(err)
	}
	for _, f := range entries {
		e.Errorf("%s is left in the state directory", f.Name())
	}
}

// processes lists processes of runsc whose arguments name a file of the test:
// the state directory (commands, monitors) or a bundle (gofers, which do not
// outlive their Sentry or it them).
func processes(t *testing.T, root string) (left []string) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		cmdline, err := os.ReadFile(d + "/cmdline")
		if err == nil && strings.HasPrefix(string(cmdline), "runsc\x00") && strings.Contains(string(cmdline), filepath.Dir(filepath.Dir(root))+"/") {
			left = append(left, d+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return left
}

// bundle makes a bundle whose program is args; change edits its configuration.
func (e *env) bundle(change func(*specs.Spec), args ...string) string {
	e.Helper()
	dir := e.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		e.Fatal(err)
	}
	s := spec.Template()
	s.Process.Terminal = false
	s.Process.Args = args
	if e.uid >= 0 || os.Geteuid() != 0 {
		uid := e.uid
		if uid < 0 {
			uid = os.Geteuid()
		}
		spec.MakeRootless(s, uint32(uid), uint32(uid))
	}
	if change != nil {
		change(s)
	}
	e.writeConfig(dir, s)
	return dir
}

func (e *env) writeConfig(dir string, s any) {
	e.Helper()
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, spec.ConfigFile), data, 0o644)
	}
	if err != nil {
		e.Fatal(err)
	}
}

// status is what `state` says of a container.
func (e *env) status(id string) string {
	e.Helper()
	var v stateView
	if err := json.Unmarshal([]byte(e.must("state", id)), &v); err != nil {
		e.Fatal(err)
	}
	return v.Status
}

// state reads what is recorded of a container.
func (e *env) state(id string) *container.State {
	e.Helper()
	c, err := (&container.Store{Root: e.root}).Load(id)
	if err != nil {
		e.Fatal(err)
	}
	return &c.State
}

// eventually waits until cond holds.
func (e *env) eventually(what string, cond func() bool) {
	e.Helper()
	deadline := time.Now().Add(commandTimeout)
	for !cond() {
		if time.Now().After(deadline) {
			e.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// create makes a container whose output goes to a file, and returns the file's
// name. (A pipe would not end before the container.)
func (e *env) create(id, bundle string, flags ...string) (output string) {
	e.Helper()
	output = filepath.Join(e.TempDir(), "output")
	f, err := os.Create(output)
	if err != nil {
		e.Fatal(err)
	}
	defer f.Close()
	cmd := e.cmd(append(append([]string{"create", "--bundle", bundle}, flags...), id)...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		data, _ := os.ReadFile(output)
		e.Fatalf("create: %v: %s", err, data)
	}
	return output
}

func contains(file, want string) bool {
	data, err := os.ReadFile(file)
	return err == nil && strings.Contains(string(data), want)
}
