package clients

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	runscFlag = flag.String("runsc", "", "the runsc to test; built for the test unless given")
	shimFlag  = flag.String("shim", "", "the containerd-shim-runsc-v1 to test; built for the test unless given")
)

func TestMain(m *testing.M) {
	if os.Getenv(holderEnv) != "" {
		os.Exit(hold())
	}
	flag.Parse()
	sweepStale()
	code := m.Run()
	sweepStale()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// Times after which something is wrong.
const (
	commandTimeout = 40 * time.Second
	daemonTimeout  = 30 * time.Second
	goneTimeout    = 20 * time.Second
)

// A world is a place for one client; see the package's comment.
type world struct {
	*testing.T

	// dir is for roots and sockets; its path is short. It is the same inside
	// and outside.
	dir string
	// name is unique: cgroups, namespaces of containerd and the like that
	// carry it can be told from others'.
	name string
	// runsc is the binary. Its directory is first in PATH.
	runsc string

	holder  *exec.Cmd
	before  map[string]bool // mount points of the world when it was new
	keep    []*regexp.Regexp
	daemons *[]*daemon // those that run, of all copies of the world
	env     []string
}

var worlds atomic.Int32

// newWorld makes a world, which ends with the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	if *runscFlag == "" && os.Getenv("CLIENTS") == "" {
		t.Skip("real clients take minutes: make test-clients")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make namespaces and to start daemons")
	}
	w := &world{T: t, daemons: new([]*daemon), name: fmt.Sprintf("cordonclients%d-%d", os.Getpid(), worlds.Add(1))}
	w.need("nsenter", "ip")
	w.runsc = binary(t, "runsc", *runscFlag, "-ldflags", "-s -w -linkmode external -extldflags -static")
	dir, err := os.MkdirTemp("", "cc")
	if err != nil {
		t.Fatal(err)
	}
	w.dir = dir
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.env = append(os.Environ(), "PATH="+filepath.Dir(w.runsc)+":"+os.Getenv("PATH"))
	w.startHolder()
	w.before = w.mounts()
	t.Cleanup(w.end)
	return w
}

func (w *world) startHolder() {
	w.Helper()
	w.holder = exec.Command("/proc/self/exe")
	w.holder.Env = append(os.Environ(), holderEnv+"=1")
	w.holder.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC}
	stdin, err := w.holder.StdinPipe()
	if err != nil {
		w.Fatal(err)
	}
	stdout, err := w.holder.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := w.holder.Start(); err != nil {
		w.Skipf("this host refuses namespaces: %v", err)
	}
	w.Cleanup(func() {
		stdin.Close()
		w.holder.Process.Kill()
		w.holder.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		w.Fatalf("the world's first process says %q, %v", line, err)
	}
}

// root is a path of the world's /run and /proc as seen from outside.
func (w *world) root(path string) string {
	return "/proc/" + strconv.Itoa(w.holder.Process.Pid) + "/root" + path
}

// need skips without these programs.
func (w *world) need(programs ...string) {
	w.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			w.Skipf("%s is not installed", p)
		}
	}
}

// setenv sets a variable for what is started from now on.
func (w *world) setenv(name, value string) { w.env = append(w.env, name+"="+value) }

// keeps names mounts (by their mount point) that a daemon leaves on purpose.
func (w *world) keeps(mountPoint string) { w.keep = append(w.keep, regexp.MustCompile(mountPoint)) }

// command is a command in the world that has not been started. It is a process
// group of its own and ends with ctx.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(w.holder.Process.Pid), "--net", "--mount", "--pid", "--ipc", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Env = w.env
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// A result is how a command ended.
type result struct {
	stdout, stderr string
	code           int // -1 with a signal
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d, standard output %q, standard error %q", r.code, clip(r.stdout), clip(r.stderr))
}

// run performs a command and returns how it ended, if it did so in time.
func (w *world) run(args ...string) result {
	w.Helper()
	return w.runIn("", args...)
}

// runIn is run with a standard input.
func (w *world) runIn(stdin string, args ...string) result {
	w.Helper()
	r, err := w.try(commandTimeout, stdin, args...)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// try is run for goroutines: what went wrong is an error.
func (w *world) try(timeout time.Duration, stdin string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := w.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	timer := time.AfterFunc(timeout-timeout/10, func() { w.dump(fmt.Sprintf("%q takes long", args)) })
	err := cmd.Run()
	timer.Stop()
	r := result{out.String(), errs.String(), -1}
	if cmd.ProcessState != nil {
		r.code = cmd.ProcessState.ExitCode()
	}
	if ctx.Err() != nil {
		return r, fmt.Errorf("%q did not end within %v: %v", args, timeout, r)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("%q: %w: %v", args, err, r)
	}
	return r, nil
}

// must performs a command that has to succeed and returns its standard output.
func (w *world) must(args ...string) string {
	w.Helper()
	r := w.run(args...)
	if r.code != 0 {
		w.Fatalf("%q: %v", args, r)
	}
	return r.stdout
}

// expect performs a command whose output without surrounding white space and
// exit code are known.
func (w *world) expect(code int, stdout string, args ...string) {
	w.Helper()
	if r := w.run(args...); r.code != code || strings.TrimSpace(r.stdout) != stdout {
		w.Errorf("%q: %v; want exit code %d and %q", args, r, code, stdout)
	}
}

// fails performs a command that has to fail with a message that holds text.
func (w *world) fails(text string, args ...string) {
	w.Helper()
	if r := w.run(args...); r.code == 0 || !strings.Contains(r.stderr+r.stdout, text) {
		w.Errorf("%q: %v; want a failure with %q", args, r, text)
	}
}

// eventually waits until cond holds.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	deadline := time.Now().Add(daemonTimeout)
	for !cond() {
		if time.Now().After(deadline) {
			w.dump("never: " + what)
			w.Fatalf("never: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A daemon is a process that runs beside the test.
type daemon struct {
	w    *world
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// daemon starts a process with its output in a log file and waits until ready
// says yes.
func (w *world) daemon(name string, ready func() bool, args ...string) *daemon {
	w.Helper()
	d := &daemon{w: w, name: name, log: filepath.Join(w.dir, name+".log"), done: make(chan struct{})}
	f, err := os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	d.cmd = w.command(context.Background(), args...)
	d.cmd.Stdout, d.cmd.Stderr = f, f
	if err := d.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	go func() {
		d.cmd.Wait()
		close(d.done)
	}()
	*w.daemons = append(*w.daemons, d)
	w.eventually(name+" is ready", func() bool {
		select {
		case <-d.done:
			w.Fatalf("%s ended: %s", name, tail(d.log))
		default:
		}
		return ready()
	})
	return d
}

// pid is the daemon's as the host sees it, nsenter's child, or 0 if it is gone.
func (d *daemon) pid() int {
	// An error leaves no number to read.
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", d.cmd.Process.Pid, d.cmd.Process.Pid))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// signal sends a signal to the daemon if it is there.
func (d *daemon) signal(sig syscall.Signal) {
	if pid := d.pid(); pid != 0 {
		syscall.Kill(pid, sig)
	}
}

// stop ends the daemon with a signal and waits for it.
func (d *daemon) stop(sig syscall.Signal) {
	d.w.Helper()
	select {
	case <-d.done:
	default:
		d.signal(sig)
	}
	select {
	case <-d.done:
	case <-time.After(daemonTimeout):
		d.w.dump(d.name + " does not stop")
		d.w.Errorf("%s does not end after signal %v", d.name, sig)
		syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	}
	for i, other := range *d.w.daemons {
		if other == d {
			*d.w.daemons = append((*d.w.daemons)[:i], (*d.w.daemons)[i+1:]...)
			break
		}
	}
}

// descriptors counts the daemon's open files.
func (d *daemon) descriptors() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.pid()))
	if err != nil {
		d.w.Fatal(err)
	}
	return len(entries)
}

// built are the binaries where no flag named them.
var built struct {
	mu   sync.Mutex
	dir  string
	have map[string]error
}

// binary returns a program under test: the one that a flag names, or one built
// from here.
func binary(t *testing.T, name, given string, flags ...string) string {
	t.Helper()
	if given != "" {
		return absolute(t, given)
	}
	built.mu.Lock()
	defer built.mu.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "ccbin")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.have = dir, map[string]error{}
	}
	path := filepath.Join(built.dir, name)
	err, have := built.have[name]
	if !have {
		args := append([]string{"build", "-trimpath", "-tags", "netgo,osusergo", "-o", path}, flags...)
		cmd := exec.Command("go", append(args, "cordon/cmd/"+name)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("go build %s: %w\n%s", name, err, out)
		}
		built.have[name] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// clip shortens a text to its end.
func clip(s string) string {
	const most = 4000
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}

// tail is the end of a file.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 20000
	if st, err := f.Stat(); err == nil && st.Size() > most {
		f.Seek(-most, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	return string(data)
}
