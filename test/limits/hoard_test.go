package limits

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hoards are what a guest may collect without end, with the errors that may stop it
// under a limit of memory, if its time does not end before.
var hoards = map[string]string{
	"vmas":          "Cannot allocate memory",
	"threads":       "Resource temporarily unavailable",
	"timers":        "Resource temporarily unavailable",
	"queued":        "Resource temporarily unavailable|Cannot allocate memory",
	"watches":       "Cannot allocate memory|No space left on device",
	"instances":     "Too many open files",
	"unread":        "Cannot allocate memory",
	"registrations": "Cannot allocate memory",
	"pipes":         "Cannot allocate memory",
	"circles":       "Cannot allocate memory|Too many open files in system|Too many references: cannot splice",
	"flights":       "Cannot allocate memory|Bad file descriptor|Too many references: cannot splice",
	"unixes":        "Cannot allocate memory",
	"datagrams":     "Cannot allocate memory",
	"connections":   "Cannot allocate memory",
	"packets":       "Cannot allocate memory|Too many open files",
	"netlinks":      "Cannot allocate memory|Too many open files",
	"addresses":     "Cannot allocate memory",
	"routes":        "Cannot allocate memory",
	"arguments":     "Argument list too long|Cannot allocate memory",
	"directories":   "Cannot allocate memory|No space left on device",
	"files":         "No space left on device|Cannot allocate memory",
	"attributes":    "No space left on device|Cannot allocate memory",
	"locks":         "No locks available|Cannot allocate memory",
	"mounts":        "No space left on device|Cannot allocate memory",
	"spaces":        "No space left on device|Invalid argument|Cannot allocate memory|Operation not permitted",
	"segments":      "No space left on device",
	"messages":      "Cannot allocate memory|No space left on device",
	"mqueues":       "Cannot allocate memory|Too many open files",
	"filters":       "Cannot allocate memory",
	"terminals":     "No space left on device|Cannot allocate memory",
	"memfds":        "Too many open files|Too many open files in system|Cannot allocate memory",
	"groups":        "Resource temporarily unavailable|Cannot allocate memory",
	"fdtables":      "Resource temporarily unavailable|Cannot allocate memory",
}

// A neighbour is a sandbox that answers each line.
type neighbour struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func newNeighbour(g *guest) *neighbour {
	cmd := exec.CommandContext(g.t.Context(), g.bin, "--root", filepath.Join(g.dir, "beside"), "do", "sed", "-u", "s/^/again /")
	in, err := cmd.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &neighbour{g.t, in, bufio.NewReader(out)}
}

func (n *neighbour) answers(word string) {
	n.t.Helper()
	fmt.Fprintln(n.in, word)
	if line, err := n.out.ReadString('\n'); line != "again "+word+"\n" {
		n.t.Fatalf("the sandbox beside says %q, %v", line, err)
	}
}

// What a guest has the Sentry keep is bounded by its limit of memory like what it
// has itself: whoever collects gets an error or ends, the sandbox goes on, and so
// does the one beside it.
func TestHoards(t *testing.T) {
	g := newGuest(t)
	if out, err := exec.Command("gcc", "-O1", "-static", "-o", filepath.Join(g.dir, "hoard"), "testdata/hoard.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	beside := newNeighbour(g)
	for what, errors := range hoards {
		t.Run(what, func(t *testing.T) {
			mine := &guest{t, g.bin, g.dir}
			out, status := mine.do("64m", `mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg
setsid -w hoard `+what+` 1; echo status $?; sleep 0.3; take memory 4; echo alive $?`)
			beside.answers(what)
			if !strings.HasSuffix(out, "memory\nalive 0\n") {
				t.Fatalf("the sandbox ended with %d: %s", status, out)
			}
			how := strings.SplitN(out, "\n", 2)[0]
			if how == "status 137" || strings.HasPrefix(how, "Killed") {
				return
			}
			for e := range strings.SplitSeq(errors+"|Success", "|") {
				if strings.HasSuffix(how, " "+e) {
					return
				}
			}
			t.Errorf("it ended with %q", how)
		})
	}
}
