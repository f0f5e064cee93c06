package apps

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	runscFlag = flag.String("runsc", "", "the runsc to test (default: one built for the test)")
	limitFlag = flag.Duration("limit", 0, "end each case after this time instead of its own limit")
)

// An app is one file of testdata.
type app struct {
	name   string
	path   string
	needs  []string
	limit  time.Duration
	bundle bool
	body   []string
}

func load(t *testing.T, pattern string) []*app {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	var apps []*app
	for _, p := range paths {
		a, err := parse(p)
		if err != nil {
			t.Fatal(err)
		}
		apps = append(apps, a)
	}
	return apps
}

func parse(path string) (*app, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	a := &app{name: strings.TrimSuffix(base, filepath.Ext(base)), path: abs, limit: 60 * time.Second}
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		switch {
		case strings.HasPrefix(l, "# needs: "):
			a.needs = strings.Fields(l)[2:]
		case strings.HasPrefix(l, "# time: "):
			n, err := strconv.Atoi(strings.Fields(l)[2])
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %v", path, l, err)
			}
			a.limit = time.Duration(n) * time.Second
		case l == "# bundle":
			a.bundle = true
		case !strings.HasPrefix(l, "#") && l != "":
			a.body = append(a.body, l)
		}
	}
	if *limitFlag != 0 {
		a.limit = *limitFlag
	}
	return a, nil
}

// require skips the test when a program of the case is not installed below root.
func (a *app) require(t *testing.T, root string) {
	t.Helper()
	for _, p := range a.needs {
		if !installed(root, p) {
			t.Skipf("%s is not installed", p)
		}
	}
}

func installed(root, program string) bool {
	if root == "/" {
		_, err := exec.LookPath(program)
		return err == nil
	}
	for _, dir := range strings.Split(rootPath, ":") {
		if _, err := os.Lstat(filepath.Join(root, dir, program)); err == nil {
			return true
		}
	}
	return false
}

const rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A result is what a run of a case shows.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a command to its end, or for limit; then onTimeout may look into
// what hangs before it is killed.
func run(t *testing.T, cmd *exec.Cmd, limit time.Duration, onTimeout func(pid int)) (result, error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(limit):
		onTimeout(cmd.Process.Pid)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		err = fmt.Errorf("no end after %v", limit)
	}
	r := result{stdout: out.String(), stderr: errs.String(), code: cmd.ProcessState.ExitCode()}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		err = nil
	}
	return r, err
}

// environment is the same for a run on the host and in the sandbox. Caches of
// the go command stay where they are: the sandbox reads the host's.
func environment(dir string, each time.Duration) []string {
	testdata, _ := filepath.Abs("testdata")
	env := []string{
		"APPS=" + testdata, "HOME=" + dir, "LC_ALL=C", "TERM=xterm", "TZ=UTC", "SHELL=/bin/bash",
		"PATH=" + os.Getenv("PATH"), "SECONDS_EACH=" + strconv.Itoa(int(each.Seconds())),
		"GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local",
	}
	for _, v := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY"} {
		if out, err := exec.Command("go", "env", v).Output(); err == nil {
			env = append(env, v+"="+strings.TrimSpace(string(out)))
		}
	}
	return env
}
