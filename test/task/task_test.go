// Package task_test compares what a C program sees of processes and signals on
// the host and in a sandbox.
package task_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var runsc = flag.String("runsc", "../../bin/runsc", "the runsc to test")

func TestBehaviour(t *testing.T) {
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler")
	}
	bin, err := filepath.Abs(*runsc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("runsc is not built")
	}
	if os.Getuid() != 0 {
		t.Skip("a sandbox of this kind needs root")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "behaviour")
	if out, err := exec.Command(cc, "-O1", "-w", "-static", "-o", program, "testdata/behaviour.c", "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	want := run(t, t.TempDir(), program)
	if !strings.HasSuffix(want, "end\n") {
		t.Fatalf("the host does not reach the end:\n%s", want)
	}
	got := run(t, dir, bin, "do", program)
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := at(w, i), at(g, i)
		if a != b {
			t.Errorf("line %d: host %q, sandbox %q", i+1, a, b)
		}
	}
}

func at(l []string, i int) string {
	if i < len(l) {
		return l[i]
	}
	return "(nothing)"
}

func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, 10*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", strings.Join(argv, " "), err)
	}
	return string(out)
}
