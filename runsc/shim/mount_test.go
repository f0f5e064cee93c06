package shim

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types"
	"golang.org/x/sys/unix"
)

// TestLoopRootfs mounts a file with a file system, and leaves no device.
func TestLoopRootfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	mkfs, err := exec.LookPath("mke2fs")
	if err != nil {
		t.Skip("mke2fs is not installed")
	}
	dir := t.TempDir()
	tree, file, target := filepath.Join(dir, "tree"), filepath.Join(dir, "file"), filepath.Join(dir, "target")
	for _, d := range []string{tree, target} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(tree, "inside"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", "-t", "ext2", "-d", tree, file, "1m").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this host has no loop devices")
	}
	for _, kind := range []string{"ro", "rw"} {
		err := mountRootfs(target, []*types.Mount{{Type: "ext2", Source: file, Options: []string{"loop", kind}}})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		data, err := os.ReadFile(filepath.Join(target, "inside"))
		if err != nil || string(data) != "text" {
			t.Errorf("%s: it holds %q, %v", kind, data, err)
		}
		err = os.WriteFile(filepath.Join(target, "new"), nil, 0o644)
		if refused := err != nil; refused != (kind == "ro") {
			t.Errorf("%s: making a file: %v", kind, err)
		}
		if err := unmountRootfs(target); err != nil {
			t.Error(err)
		}
		devices, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
		for _, d := range devices {
			if name, _ := os.ReadFile(d); strings.TrimSpace(string(name)) == file {
				t.Errorf("%s: %s has the file still", kind, d)
			}
		}
	}
	err = mountRootfs(target, []*types.Mount{{Type: "ext2", Source: filepath.Join(dir, "not-there"), Options: []string{"loop"}}})
	if err == nil || !strings.Contains(err.Error(), "not-there") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := unix.Unmount(target, 0); err == nil {
		t.Error("something is mounted still")
	}
}
