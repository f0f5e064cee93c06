package isolation

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// left lists what a failed command must not leave: processes and mounts that
// name the box's folder, control groups that were not there, files of state.
func (b *box) left() (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		cmdline, _ := os.ReadFile(d + "/cmdline")
		if strings.Contains(string(cmdline), b.dir) && !strings.HasPrefix(string(cmdline), os.Args[0]) {
			found = append(found, "process "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	b.must(err)
	for l := range strings.Lines(string(mounts)) {
		if strings.Contains(l, b.dir) {
			found = append(found, "mount "+strings.TrimSpace(l))
		}
	}
	entries, err := os.ReadDir(b.state)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	for _, e := range entries {
		found = append(found, "state "+e.Name())
	}
	return found
}

// cgroups lists the control groups of the host.
func cgroups() (dirs []string) {
	for _, depth := range []string{"*", "*/*", "*/*/*"} {
		names, _ := filepath.Glob("/sys/fs/cgroup/" + depth + "/cgroup.procs")
		dirs = append(dirs, names...)
	}
	return dirs
}

// refused runs a command that must fail with one line and leave nothing but
// what was there.
func (b *box) refused(code int, want string, args ...string) {
	b.Helper()
	before, groups := b.left(), cgroups()
	r := b.run(args...)
	if r.code != code {
		b.Errorf("runsc %q: exit code %d, not %d", args, r.code, code)
	}
	if strings.Count(r.stderr, "\n") != 1 || !strings.Contains(strings.ToLower(r.stderr), want) || r.stdout != "" {
		b.Errorf("runsc %q: standard error is not one line with %q:\n%s%s", args, want, r.stderr, r.stdout)
	}
	var after []string
	for range 200 { // what was killed may take a moment to go
		if after = b.left(); len(after) <= len(before) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, x := range after {
		if !slices.Contains(before, x) {
			b.Errorf("runsc %q leaves %s", args, x)
		}
	}
	for _, x := range cgroups() {
		if !slices.Contains(groups, x) && strings.Contains(x, "refused") {
			b.Errorf("runsc %q leaves %s", args, x)
		}
	}
}

func TestBadInput(t *testing.T) {
	b := newBox(t)
	b.must(os.WriteFile(b.in("text"), []byte("no program\n"), 0o644))
	b.must(os.WriteFile(b.in("broken"), []byte("\x7fELF and no more"), 0o755))
	bundle := func(change func(c map[string]any), args ...string) []string {
		b.config(change, args...)
		return []string{"run", "--bundle", b.bundle, "refused"}
	}
	b.refused(127, "not found", "do", "there-is-no-such-program")
	b.refused(127, "no such file", "do", "/there/is/no/such/program")
	b.refused(126, "permission denied", "do", b.in("text"))
	b.refused(126, "exec format error", "do", b.in("broken"))
	b.refused(126, "directory", "do", b.root)
	b.refused(1, "-nope", "do", "--nope", "true")
	b.refused(1, "provided but not defined", "--nope", "do", "true")
	b.refused(3, "dance", "dance")

	b.refused(1, "config.json", "run", "--bundle", filepath.Join(b.dir, "nowhere"), "refused")
	b.refused(1, "not found", bundle(nil, "there-is-no-such-program")...)
	b.refused(1, "permission denied", bundle(nil, "/text")...)
	b.refused(1, "root", bundle(func(c map[string]any) { c["root"].(map[string]any)["path"] = "nowhere" }, "/escape")...)
	b.refused(1, "args", bundle(func(c map[string]any) { c["process"].(map[string]any)["args"] = 5 }, "/escape")...)
	b.refused(1, "mounts", bundle(func(c map[string]any) { c["mounts"] = "all" }, "/escape")...)
	b.must(os.WriteFile(filepath.Join(b.bundle, "config.json"), []byte(`{"ociVersion": "1.0.0", `), 0o644))
	b.refused(1, "config.json", "run", "--bundle", b.bundle, "refused")
	b.must(os.Remove(filepath.Join(b.bundle, "config.json")))
	b.must(os.Mkdir(filepath.Join(b.bundle, "config.json"), 0o755))
	b.refused(1, "config.json", "run", "--bundle", b.bundle, "refused")
	b.must(os.Remove(filepath.Join(b.bundle, "config.json")))

	b.config(nil, "/escape")
	cmd, cancel := b.command("create", "--bundle", b.bundle, "refused")
	defer cancel()
	if err := cmd.Run(); err != nil {
		t.Fatalf("create: %v", err)
	}
	b.refused(1, "already exists", "create", "--bundle", b.bundle, "refused")
	b.refused(1, "already exists", "run", "--bundle", b.bundle, "refused")
	if r := b.run("delete", "--force", "refused"); r.code != 0 {
		t.Errorf("delete: %s", r.stderr)
	}
	for range 200 {
		if len(b.left()) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("after delete there is left %q", b.left())
}
