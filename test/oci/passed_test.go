package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// with runs a command that inherits files from descriptor 3 on.
func (w *world) with(files []*os.File, args ...string) result {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := w.cmd(ctx, args...)
	cmd.ExtraFiles = files
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		w.Fatalf("%v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// file makes a file with content and opens it.
func (w *world) file(name, content string) *os.File {
	w.Helper()
	path := filepath.Join(w.dir, name)
	w.check(os.WriteFile(path, []byte(content), 0o644))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	w.check(err)
	w.Cleanup(func() { f.Close() })
	return f
}

func TestPreservedDescriptors(t *testing.T) {
	w := newWorld(t)
	r, p, err := os.Pipe()
	w.check(err)
	defer r.Close()
	defer p.Close()
	f := w.file("in", "content\n")
	const script = "cat <&3; echo out >&4; test -e /proc/self/fd/5 || echo no more"
	if got := w.with([]*os.File{f, p}, "run", "--preserve-fds", "2", "-b", w.bundle(script, nil), w.id()); got.out != "content\nno more\n" {
		t.Errorf("run: %s", got)
	}
	b := make([]byte, 100)
	if n, err := r.Read(b); string(b[:n]) != "out\n" {
		t.Errorf("the pipe got %q, %v", b[:n], err)
	}
	// The offset is shared with whoever passed it on.
	if off, err := f.Seek(0, 1); off != 8 {
		t.Errorf("the offset is %d, %v", off, err)
	}
	id := w.start(w.bundle(idle, nil))
	f.Seek(0, 0)
	if got := w.with([]*os.File{f, p}, "exec", "--preserve-fds", "2", id, "sh", "-c", script); got.out != "content\nno more\n" {
		t.Errorf("exec: %s", got)
	}
	r.Read(b)
	if got := w.with([]*os.File{f}, "exec", id, "sh", "-c", "test -e /proc/self/fd/3 || echo none"); got.out != "none\n" {
		t.Errorf("exec without the flag: %s", got)
	}
	f.Seek(0, 0)
	if got := w.with([]*os.File{f, p}, "exec", "-d", "--preserve-fds", "2", id, "sh", "-c", "cat <&3 >&4"); got.code != 0 {
		t.Errorf("exec --detach: %s", got)
	}
	if n, err := r.Read(b); string(b[:n]) != "content\n" {
		t.Errorf("the detached program wrote %q, %v", b[:n], err)
	}
	created := w.id()
	f.Seek(0, 0)
	if got := w.with([]*os.File{f, p}, "create", "--preserve-fds", "2", "-b", w.bundle("cat <&3 >&4", nil), created); got.code != 0 {
		t.Fatalf("create: %s", got)
	}
	w.must("start", created)
	if n, err := r.Read(b); string(b[:n]) != "content\n" {
		t.Errorf("the created program wrote %q, %v", b[:n], err)
	}
}

// TestActivation: sockets that a service manager opened are the program's.
func TestActivation(t *testing.T) {
	w := newWorld(t)
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("no python3, to serve in the container")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.check(err)
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	w.check(err)
	defer f.Close()
	const program = `
import os, socket
s = socket.socket(fileno=3)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
c, a = s.accept()
c.sendall(("%s %s %s" % (os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"], c.recv(100).decode())).encode())
c.shutdown(socket.SHUT_RDWR)
`
	b := w.bundle("", func(s *specs.Spec) {
		s.Root.Path, s.Root.Readonly = "/", true
		s.Mounts = nil
		s.Process.Args, s.Process.Env = []string{"/usr/bin/python3", "-c", program}, []string{"PATH=/bin:/usr/bin"}
		s.Linux.ReadonlyPaths, s.Linux.MaskedPaths = nil, nil
	})
	id := w.id()
	// The shell's number is the runtime's: exec keeps it.
	script := fmt.Sprintf("LISTEN_FDS=1 LISTEN_PID=$$ exec %s --root %s run -b %s %s", w.runtime, w.state, b, id)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.ExtraFiles = []*os.File{f}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	w.check(cmd.Start())
	c, err := net.Dial("tcp", l.Addr().String())
	w.check(err)
	defer c.Close()
	c.Write([]byte("hello"))
	answer := make([]byte, 100)
	n, err := c.Read(answer)
	if string(answer[:n]) != "1 1 hello" {
		t.Errorf("the program answered %q, %v", answer[:n], err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
}

// TestDescriptorsThatAreRefused: what would open the host is named.
func TestDescriptorsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	if strings.Contains(w.must("--version"), "runc version") {
		t.Skip("runc passes on everything")
	}
	b := w.bundle("true", nil)
	dir, err := os.Open("/")
	w.check(err)
	defer dir.Close()
	for text, files := range map[string][]*os.File{
		"descriptor 3 is not open":       nil,
		"descriptor 3: a directory":      {dir},
		"descriptor 4: a directory":      {w.file("x", ""), dir},
		"descriptor 4 is not open":       {w.file("x", "")},
		"at most 128 descriptors can be": nil,
		"--preserve-fds: -1 is below 0":  nil,
		"descriptor 3: the device 10":    nil,
	} {
		n := "2"
		switch {
		case strings.Contains(text, "at most"):
			n = "1000000"
		case strings.Contains(text, "below"):
			n = "-1"
		case strings.Contains(text, "device"):
			fuse, err := os.Open("/dev/fuse")
			if err != nil {
				continue
			}
			defer fuse.Close()
			files = []*os.File{fuse}
		}
		id := w.id()
		if r := w.with(files, "run", "--preserve-fds", n, "-b", b, id); r.code == 0 || !strings.Contains(r.errors, text) || strings.Count(r.errors, "\n") != 1 {
			t.Errorf("%s: %s", text, r)
		}
		w.fails("does not exist", "state", id)
	}
}
