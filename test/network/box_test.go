package network

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var runsc = flag.String("runsc", "../../bin/runsc", "the runsc to test")

// limit bounds every command, and whatever a test waits for.
const limit = time.Minute

// guestEnv names what the test program does in a sandbox.
const guestEnv = "CORDON_NETWORK_GUEST"

func TestMain(m *testing.M) {
	if what := os.Getenv(guestEnv); what != "" {
		os.Exit(guest(what, os.Args[1:]))
	}
	flag.Parse()
	os.Exit(m.Run())
}

// A world is a directory with the programs and the state of runsc, for one user.
type world struct {
	*testing.T
	dir    string
	runsc  string
	self   string
	uid    int    // to be, -1 for the caller
	netns  string // to be in, empty for the caller's
	resolv string // shown as /etc/resolv.conf, empty for the caller's
}

// newWorld copies the programs to where everybody may read them.
func newWorld(t *testing.T, uid int) *world {
	t.Helper()
	if _, err := os.Stat(*runsc); err != nil {
		t.Skipf("no runsc to test: %v", err)
	}
	dir, err := os.MkdirTemp("", "cordon-network")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{T: t, dir: dir, runsc: filepath.Join(dir, "runsc"), self: filepath.Join(dir, "guest"), uid: uid}
	w.check(os.Chmod(dir, 0o755))
	self, err := os.Executable()
	w.check(err)
	w.copy(*runsc, w.runsc)
	w.copy(self, w.self)
	w.check(os.Mkdir(filepath.Join(dir, "state"), 0o700))
	if uid >= 0 {
		w.check(os.Chown(filepath.Join(dir, "state"), uid, uid))
	}
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) copy(from, to string) {
	w.Helper()
	data, err := os.ReadFile(from)
	w.check(err)
	w.check(os.WriteFile(to, data, 0o755))
}

// cmd is a command of runsc.
func (w *world) cmd(args ...string) *exec.Cmd {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	w.Cleanup(cancel)
	all := append([]string{w.runsc, "--root", filepath.Join(w.dir, "state")}, args...)
	if w.netns != "" {
		all = append([]string{"ip", "netns", "exec", w.netns}, all...)
	}
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Dir = "/"
	if w.uid >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.uid)}}
	}
	return cmd
}

// must runs a command that has to succeed.
func (w *world) must(args ...string) string {
	w.Helper()
	var out, errs bytes.Buffer
	cmd := w.cmd(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.Fatalf("runsc %q: %v\n%s%s", args, err, out.Bytes(), errs.Bytes())
	}
	return out.String()
}

// A running is a sandbox that stays until its input ends.
type running struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bytes.Buffer
}

// start starts a sandbox with the guest doing what, and waits until it says "ready".
func (w *world) start(flags []string, what string, args ...string) *running {
	w.Helper()
	cmd := w.cmd(w.guest(flags, what, args...)...)
	r := &running{Cmd: cmd, out: new(bytes.Buffer)}
	var err error
	r.in, err = cmd.StdinPipe()
	w.check(err)
	stdout, err := cmd.StdoutPipe()
	w.check(err)
	cmd.Stderr = r.out
	w.check(cmd.Start())
	w.Cleanup(func() {
		r.in.Close()
		cmd.Wait()
	})
	word := make([]byte, len("ready"))
	if _, err := io.ReadFull(stdout, word); err != nil || string(word) != "ready" {
		r.in.Close()
		cmd.Wait()
		w.Fatalf("runsc %q: %q, %v\n%s", cmd.Args, word, err, r.out)
	}
	return r
}

// guest is a command line of `do`.
func (w *world) guest(flags []string, what string, args ...string) []string {
	all := append([]string{"do", "--user", "0", "--env", guestEnv + "=" + what}, flags...)
	return append(append(all, w.self), args...)
}

// tool skips the test without a program.
func tool(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skipf("needs %s", n)
		}
	}
}

// root skips the test for others.
func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to make network namespaces")
	}
}

// needUserNS skips where the host lets nobody make namespaces.
func needUserNS(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}}
	if err := cmd.Run(); err != nil {
		t.Skipf("this host refuses user namespaces: %v", err)
	}
}

// ordinary is the user to be: an ordinary one.
func ordinary() int {
	if os.Geteuid() == 0 {
		return 65534
	}
	return -1
}

// processes are those that run this world's runsc.
func (w *world) processes() (pids []string) {
	exes, err := filepath.Glob("/proc/[0-9]*/exe")
	w.check(err)
	for _, e := range exes {
		if to, err := os.Readlink(e); err == nil && to == w.runsc {
			pids = append(pids, filepath.Base(filepath.Dir(e)))
		}
	}
	return pids
}

func fields(s string) []string { return strings.Fields(s) }
