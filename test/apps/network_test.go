package apps

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNetwork runs the programs that look at a network, and change it, in an
// empty network namespace of the host and in the sandbox: both print the same.
func TestNetwork(t *testing.T) {
	s := newSandbox(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace of the host to compare with")
	}
	if err := exec.Command("unshare", "-n", "ip", "link", "set", "lo", "up").Run(); err != nil {
		t.Skip("needs unshare and ip, and a host that lets them make a network namespace:", err)
	}
	for _, a := range load(t, filepath.Join("network", "*.sh")) {
		t.Run(a.name, func(t *testing.T) {
			for _, n := range a.needs {
				_, err := exec.LookPath(n)
				if filepath.IsAbs(n) {
					_, err = os.Stat(n) // a device
				}
				if err != nil {
					t.Skip("needs " + n)
				}
			}
			want := runNetwork(t, a, "unshare", "-n", "sh", "-c", `ip link set lo up; exec bash "$0"`, a.path)
			got := runNetwork(t, a, s.runsc, "--root", s.state, "do", "--network", "sandbox", "bash", a.path)
			if !bytes.Equal(got, want) {
				t.Errorf("the sandbox printed\n%s\nthe host\n%s", got, want)
			}
		})
	}
}

// runNetwork runs a command in an empty directory and returns what it prints.
func runNetwork(t *testing.T, a *app, argv ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), a.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		t.Fatalf("%v has not ended after %v; it printed\n%s", argv[0], a.limit, out)
	}
	if err != nil {
		t.Logf("%v: %v", argv[0], err) // scripts end as their last command did
	}
	return out
}
