package apps

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The Debian root of TestBundle. It is made once, in the user's cache.
const (
	suite        = "bookworm"
	packages     = "busybox-static,bsdextrautils,git,procps,python3"
	rootTime     = 5 * time.Minute
	containerCwd = "/scratch"
)

// TestBundle runs some of the cases as containers of `runsc run`, and on the
// host in a chroot.
func TestBundle(t *testing.T) {
	s := newSandbox(t)
	root := debian(t)
	for _, a := range load(t, "*.sh") {
		if !a.bundle {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			a.require(t, root)
			dir := t.TempDir()
			env := []string{"APPS=/apps", "HOME=" + containerCwd, "LC_ALL=C", "TERM=xterm", "TZ=UTC", "SHELL=/bin/bash", "PATH=" + rootPath}
			script := "/apps/" + filepath.Base(a.path)

			cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", inRoot, "bash", root, filepath.Dir(a.path), dir, script)
			cmd.Env = env
			want, err := run(t, cmd, a.limit, func(int) {})
			if err != nil {
				t.Fatalf("on the host: %v\n%s%s", err, want.stdout, want.stderr)
			}
			clear(t, dir)

			id := fmt.Sprintf("apps-%s-%d", a.name, os.Getpid())
			cmd = s.command("run", "--bundle", bundle(t, a, root, dir, env), id)
			got, err := run(t, cmd, a.limit, func(int) { s.explain(t, id) })
			if err != nil {
				t.Errorf("in the sandbox: %v", err)
			}
			compare(t, got, want)
			s.remove(t, id)
		})
	}
}

// inRoot runs a script in a root as the container sees it.
const inRoot = `set -e
mount --bind "$1" /mnt; mount --bind "$2" /mnt/apps; mount --bind "$3" /mnt` + containerCwd + `
mount -t proc proc /mnt/proc; mount --rbind /dev /mnt/dev; mount -t tmpfs tmpfs /mnt/tmp
exec chroot /mnt bash -c 'cd ` + containerCwd + ` && exec bash "$0"' "$4"`

// bundle writes a bundle for a case.
func bundle(t *testing.T, a *app, root, dir string, env []string) string {
	t.Helper()
	caps := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"}
	spec := &specs.Spec{
		Version:  "1.2.0",
		Hostname: "apps",
		Root:     &specs.Root{Path: root, Readonly: true},
		Process: &specs.Process{
			Args: []string{"bash", "/apps/" + filepath.Base(a.path)}, Env: env, Cwd: containerCwd,
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts"},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"},
			{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/apps", Type: "bind", Source: filepath.Dir(a.path), Options: []string{"bind", "ro"}},
			{Destination: containerCwd, Type: "bind", Source: dir, Options: []string{"bind", "rw"}},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
		}},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	b := t.TempDir()
	if err := os.WriteFile(filepath.Join(b, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// debian returns a root that debootstrap has made, now or in an earlier run.
func debian(t *testing.T) string {
	t.Helper()
	return debianRoot(t, suite, packages, "apps", containerCwd)
}

// debianRoot returns one with these packages, and further directories.
func debianRoot(t *testing.T, name, packages string, dirs ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	root := filepath.Join(cache, "cordon-test", name)
	if _, err := os.Stat(root); err == nil {
		return root
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skipf("no Debian root in %s, and debootstrap is not installed", root)
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := os.MkdirTemp(filepath.Dir(root), suite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(made) })
	ctx, cancel := context.WithTimeout(t.Context(), rootTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include="+packages, suite, made)
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("debootstrap: %v\n%s", err, clip(string(out), 1000))
	}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(made, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made, root); err != nil {
		t.Fatal(err)
	}
	return root
}
