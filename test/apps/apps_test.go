package apps

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What runs for a time runs so long natively and in the sandbox.
const (
	nativeEach  = 1 * time.Second
	sandboxEach = 5 * time.Second
)

func TestDo(t *testing.T) {
	s := newSandbox(t)
	for _, a := range load(t, "*.sh") {
		t.Run(a.name, func(t *testing.T) {
			a.require(t, "/")
			dir := t.TempDir()
			want := native(t, a, dir)
			clear(t, dir)

			cmd := s.do("bash", a.path)
			cmd.Dir, cmd.Env = dir, environment(dir, sandboxEach)
			got, err := run(t, cmd, a.limit, func(pid int) { s.explain(t, doID(pid)) })
			if err != nil {
				t.Errorf("in the sandbox: %v", err)
			}
			compare(t, got, want)
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("the sandbox left %v on the host, %v", left, err)
			}
		})
	}
}

// native is a case's result on the host. A case that fails there says nothing
// about the sandbox.
func native(t *testing.T, a *app, dir string) result {
	t.Helper()
	cmd := exec.Command("bash", a.path)
	cmd.Dir, cmd.Env = dir, environment(dir, nativeEach)
	want, err := run(t, cmd, a.limit, func(int) {})
	if err != nil {
		t.Fatalf("on the host: %v\n%s%s", err, want.stdout, want.stderr)
	}
	return want
}

// clear empties a directory.
func clear(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, got, want result) {
	t.Helper()
	if got.code != want.code {
		t.Errorf("exit code is %d, on the host %d", got.code, want.code)
	}
	if got.stdout != want.stdout {
		t.Errorf("output differs: %s", diff(got.stdout, want.stdout))
	}
	if t.Failed() {
		t.Logf("standard error in the sandbox:\n%s\non the host:\n%s", clip(got.stderr, 8000), clip(want.stderr, 2000))
	}
}

// diff shows the first lines from where two texts part.
func diff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	k := 0
	for k < len(g) && k < len(w) && g[k] == w[k] {
		k++
	}
	return "after " + strings.Join(g[max(0, k-2):k], "\n") + "\nsandbox:\n" + strings.Join(g[k:min(k+12, len(g))], "\n") +
		"\nhost:\n" + strings.Join(w[k:min(k+12, len(w))], "\n")
}
