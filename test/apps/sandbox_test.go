package apps

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A sandbox is a runsc and a place for its state.
type sandbox struct {
	runsc string
	state string
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := &sandbox{runsc: *runscFlag, state: filepath.Join(t.TempDir(), "state")}
	if s.runsc != "" {
		return s
	}
	s.runsc = filepath.Join(t.TempDir(), "runsc")
	build := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo",
		"-ldflags", "-s -w -linkmode external -extldflags -static", "-o", s.runsc, "cordon/cmd/runsc")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return s
}

func (s *sandbox) command(args ...string) *exec.Cmd {
	return exec.Command(s.runsc, append([]string{"--root", s.state}, args...)...)
}

// do is `runsc do`, whose container is named after the process.
func (s *sandbox) do(args ...string) *exec.Cmd {
	return s.command(append([]string{"do"}, args...)...)
}

// explain logs what the sandbox is doing, and ends it.
func (s *sandbox) explain(t *testing.T, id string) {
	t.Helper()
	for _, what := range []string{"ps", "stacks"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		out, err := exec.CommandContext(ctx, s.runsc, "--root", s.state, "debug", what, id).CombinedOutput()
		cancel()
		t.Logf("runsc debug %s %s: %v\n%s", what, id, err, clip(ofTasks(string(out)), 20000))
	}
	s.remove(t, id)
}

// ofTasks keeps of a goroutine dump what is about tasks.
func ofTasks(dump string) string {
	var keep []string
	for _, block := range strings.Split(dump, "\n\n") {
		if !strings.HasPrefix(block, "goroutine ") || strings.Contains(block, "sentry/task.") && !strings.Contains(block, "runsc/boot") {
			keep = append(keep, block)
		}
	}
	return strings.Join(keep, "\n\n")
}

func (s *sandbox) remove(t *testing.T, id string) {
	t.Helper()
	if out, err := s.command("delete", "--force", id).CombinedOutput(); err != nil {
		t.Logf("runsc delete --force %s: %v\n%s", id, err, out)
	}
}

func doID(pid int) string { return fmt.Sprintf("do-%d", pid) }

// clip shortens a text to its end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "[...]\n" + s[len(s)-n:]
}
