package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// containerd2Version is the release of containerd 2 that is tested. Debian has
// the first only, so the Go tool builds it, once.
const containerd2Version = "v2.4.2"

// containerd2 returns a directory with containerd 2 and ctr.
func containerd2(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("CONTAINERD2"); dir != "" {
		return dir
	}
	if os.Geteuid() != 0 || *runscFlag == "" && os.Getenv("CLIENTS") == "" {
		return "" // newWorld says why it skips
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("nowhere to build containerd 2: %v", err)
	}
	dir := filepath.Join(cache, "cordon-clients", "containerd-"+containerd2Version)
	for _, name := range []string{"containerd", "ctr", "containerd-shim-runc-v2"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			continue
		}
		t.Logf("building %s %s", name, containerd2Version)
		cmd := exec.CommandContext(t.Context(), "go", "install", "github.com/containerd/containerd/v2/cmd/"+name+"@"+containerd2Version)
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOBIN="+dir, "GOFLAGS=")
		cmd.Dir = t.TempDir() // outside of this module
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("containerd %s cannot be built here: %v: %s", containerd2Version, err, clip(string(out)))
		}
	}
	return dir
}

func TestContainerd2(t *testing.T) {
	c := newContainerd(t, containerd2(t))
	t.Run("runc.v2", func(t *testing.T) { c.behaves(t, c.runc()) })
	t.Run("runsc.v1", func(t *testing.T) { c.behaves(t, c.shim()) })
}
