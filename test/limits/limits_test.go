package limits

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var runsc = flag.String("runsc", "../../bin/runsc", "the runsc to test")

// A guest is the program and the place where it runs.
type guest struct {
	t        *testing.T
	bin, dir string
}

// most is how long one sandbox may take.
const most = time.Minute

func newGuest(t *testing.T) *guest {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler")
	}
	if os.Getuid() != 0 {
		t.Skip("limits of a sandbox need root")
	}
	bin, err := filepath.Abs(*runsc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("runsc is not built")
	}
	g := &guest{t, bin, t.TempDir()}
	if out, err := exec.Command(cc, "-O1", "-static", "-o", filepath.Join(g.dir, "take"), "testdata/take.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return g
}

// do runs a script in a sandbox with a limit of memory ("" is none) and returns
// what it says and its exit status.
func (g *guest) do(memory, script string) (string, int) {
	g.t.Helper()
	argv := []string{"--root", filepath.Join(g.dir, "root"), "do"}
	if memory != "" {
		argv = append(argv, "--memory", memory)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.bin, append(argv, "/bin/sh", "-c", "PATH=$PATH:"+g.dir+"; "+script)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		g.t.Fatalf("%q: %v, %v\n%s", script, err, ctx.Err(), out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// expect checks that a script's output matches, line by line in order.
func (g *guest) expect(memory, script string, want ...string) {
	g.t.Helper()
	out, status := g.do(memory, script)
	rest := strings.Split(out, "\n")
	for _, w := range want {
		re := regexp.MustCompile("^" + w + "$")
		for len(rest) > 0 && !re.MatchString(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			g.t.Errorf("%q says nothing like %q, status %d:\n%s", script, w, status, out)
			return
		}
		rest = rest[1:]
	}
}

func TestMemoryWithoutEnd(t *testing.T) {
	g := newGuest(t)
	// Who takes it ends, the others go on, and there is room again.
	for _, take := range []string{"memory", "mapping"} {
		g.expect("64m", "take "+take+"; echo status $?; take memory 20; echo and $?", "status 137", "memory", "and 0")
	}
	// The first process is a victim like any other.
	if out, status := g.do("64m", "exec take mapping"); status != 137 {
		t.Errorf("status %d: %s", status, out)
	}
	// oom_score_adj chooses: the small one with the high score goes first.
	g.expect("64m", `(echo 1000 >/proc/self/oom_score_adj; exec sleep 60) & sleep 0.2; take memory; echo status $?; wait $!; echo small $?`, "status 137", "small 137")
}

func TestForksWithoutEnd(t *testing.T) {
	g := newGuest(t)
	g.expect("64m", "take forks; take forks; echo status $?",
		"forks [0-9]+ Resource temporarily unavailable", "forks [0-9]+ Resource temporarily unavailable", "status 0")
}

func TestFilesWithoutEnd(t *testing.T) {
	g := newGuest(t)
	g.expect("64m", "take files; take files", "files 1 Too many open files in system", "eventfd 0", "files 1 Too many open files in system")
}

func TestWritableLayerIsBounded(t *testing.T) {
	g := newGuest(t)
	g.expect("64m", "dd if=/dev/zero of=/var/tmp/x bs=1M count=100; echo status $?; rm /var/tmp/x; echo again >/var/tmp/y; cat /var/tmp/y",
		".*No space left on device", "status 1", "again")
	// What lies in files counts: all of it and a program's memory are too much.
	g.expect("64m", "dd if=/dev/zero of=/dev/shm/x bs=1M count=30 2>/dev/null; take memory 30; echo status $?; rm /dev/shm/x; take memory 30; echo status $?",
		"status 137", "status 0")
}

func TestLimitsAreSeen(t *testing.T) {
	g := newGuest(t)
	g.expect("64m", "grep MemTotal /proc/meminfo; free -k | awk '/Mem/{print $2}'; cat /proc/self/cgroup",
		"MemTotal: +65536 kB", "65536", "0::/")
}
