package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A runtime is where a program is run: on the host, or below a command.
type runtime struct {
	name    string
	command []string
}

func (rt *runtime) cmd(ctx context.Context, args ...string) *exec.Cmd {
	args = append(slices.Clone(rt.command), args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// What a script leaves behind is found by its group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// searchPath finds the system's programs and the Go that runs this, not the
// wrappers a user may have before them.
func searchPath() string {
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if g, err := exec.LookPath("go"); err == nil {
		if g, err = filepath.EvalSymlinks(g); err == nil {
			path = filepath.Dir(g) + ":" + path
		}
	}
	return path
}

func (b *bench) has(name string) bool {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return err == nil
	}
	for dir := range strings.SplitSeq(searchPath(), ":") {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// preamble makes the directory of a script and takes it away again.
const preamble = `dir=$(mktemp -d) && cd "$dir"
done_() { cd / && rm -rf "$dir"; }
`

// script runs a row's script and reads its figures.
func (b *bench) script(r row, rt *runtime) ([]sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	// The script's own trap would replace ours: it is a shell of its own.
	text := preamble + "status=0\nsh -e -c \"$SCRIPT\" || status=$?\ndone_\nexit $status\n"
	cmd := rt.cmd(ctx, "/bin/sh", "-c", text)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "PATH=") || strings.HasPrefix(s, "TMPDIR=") })
	if len(rt.command) == 0 {
		// A sandbox's /tmp is in memory; a disk would hide what is compared.
		cmd.Env = append(cmd.Env, "TMPDIR=/dev/shm")
	}
	cmd.Env = append(cmd.Env, "PATH="+searchPath(), "BENCH="+b.dir, "PORT="+port(), "SCRIPT="+r.script)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("ended after %v", *timeout)
		}
		return nil, fmt.Errorf("%v%s", err, tail(errs.String()))
	}
	var got []sample
	for l := range strings.Lines(out.String()) {
		s, err := parseFigure(r, l)
		if err != nil {
			continue // what a program said
		}
		if len(r.sizes) == 0 {
			got = nil // the last one counts
		}
		got = append(got, s)
	}
	if len(got) == 0 {
		return nil, fmt.Errorf("no figure in %q%s", out.String(), tail(errs.String()))
	}
	return got, nil
}

// parseFigure reads "FIGURE", or "SIZE FIGURE" in a row of growth.
func parseFigure(r row, line string) (s sample, err error) {
	f := strings.Fields(line)
	want := 1
	if len(r.sizes) > 0 {
		want = 2
	}
	if len(f) != want {
		return s, errors.New("another number of words")
	}
	if want == 2 {
		if s.at, err = strconv.Atoi(f[0]); err != nil {
			return s, err
		}
	}
	s.value, err = strconv.ParseFloat(f[want-1], 64)
	return s, err
}

// port is one that few use; native servers share it with the host's.
func port() string { return itoa(21000 + os.Getpid()%9000) }

// tail is the end of what a program said, for a message of one line.
func tail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return ""
	}
	if len(s) > 300 {
		s = "..." + s[len(s)-300:]
	}
	return ": " + s
}

func itoa(n int) string { return strconv.Itoa(n) }
