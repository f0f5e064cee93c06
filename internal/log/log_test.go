package log

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/host"
	"cordon/internal/linux"
)

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = host.Close(p[0]), host.Close(p[1]) })
	return p[0], p[1]
}

func drain(t *testing.T, fd int) string {
	t.Helper()
	out, buf := "", make([]byte, 4096)
	for {
		n, err := host.Read(fd, buf)
		if err == linux.EAGAIN {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out += string(buf[:n])
	}
}

func TestLines(t *testing.T) {
	r, w := pipe(t)
	l := New(w, Info, "boot")
	l.Debugf("hidden")
	l.Infof("n=%d %s", 3, "a\nforged")
	l.SetLevel(Debug)
	l.Debugf("%s", strings.Repeat("x", 2*maxLine))
	lines := strings.Split(drain(t, r), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], " boot info: n=3 a forged") || len(lines[1]) > maxLine+3 {
		t.Errorf("lines %q", lines)
	}
}

func TestNilLoggerDiscards(t *testing.T) {
	var l *Logger
	l.Errorf("x")
	l.SetLevel(Debug)
	if l.Enabled(Error) {
		t.Error("a nil logger is enabled")
	}
}

func TestRate(t *testing.T) {
	r, w := pipe(t)
	l := New(w, Info, "x")
	now := time.Unix(1000, 0)
	l.now = func() time.Time { return now }
	for range burst + 10 {
		l.Warningf("w")
	}
	if n := strings.Count(drain(t, r), "\n"); n != burst {
		t.Errorf("%d lines, want %d", n, burst)
	}
	now = now.Add(time.Second)
	l.Warningf("later")
	if s := drain(t, r); !strings.Contains(s, "(10 messages left out) later") {
		t.Errorf("wrote %q", s)
	}
}

func TestDisabledMessageDoesNotAllocate(t *testing.T) {
	l := New(-1, Error, "x")
	n := 123456
	if a := testing.AllocsPerRun(100, func() { l.Debugf("%d %s", n, "x"); n++ }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func TestParseLevel(t *testing.T) {
	if l, ok := ParseLevel("warning"); !ok || l != Warning {
		t.Error("warning")
	}
	if _, ok := ParseLevel("loud"); ok {
		t.Error("loud is a level")
	}
}
