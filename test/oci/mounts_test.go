package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestMounts(t *testing.T) {
	w := newWorld(t)
	src := filepath.Join(w.dir, "src")
	w.check(os.MkdirAll(filepath.Join(src, "sub"), 0o755))
	w.check(os.WriteFile(filepath.Join(src, "file"), []byte("content\n"), 0o644))
	bind := func(to, from string, options ...string) func(s *specs.Spec) {
		return func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: to, Type: "bind", Source: from, Options: options})
		}
	}
	tmpfs := func(options ...string) func(s *specs.Spec) {
		return func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "tmpfs", Options: options})
		}
	}
	for name, c := range map[string]struct {
		script, want string
		change       func(s *specs.Spec)
	}{
		"bind":               {"cat /mnt/file", "content\n", bind("/mnt", src, "rbind")},
		"bind of a file":     {"cat /a/b/c", "content\n", bind("/a/b/c", filepath.Join(src, "file"), "bind")},
		"bind, read-only":    {"touch /mnt/x 2>/dev/null || echo refused", "refused\n", bind("/mnt", src, "rbind", "ro")},
		"bind, written":      {"echo new > /mnt/new && cat /mnt/new", "new\n", bind("/mnt", src, "rbind", "rw")},
		"no program":         {"/mnt/busybox true 2>/dev/null || echo refused", "refused\n", bind("/mnt", w.dir, "rbind", "noexec")},
		"flags are shown":    {"grep ' /mnt ' /proc/self/mountinfo", "ro,nosuid,nodev,noexec", bind("/mnt", src, "rbind", "ro", "nosuid", "nodev", "noexec")},
		"root is shown":      {"grep ' /mnt ' /proc/self/mountinfo", filepath.Base(src) + " /mnt ", bind("/mnt", src, "rbind")},
		"propagation":        {"cat /mnt/file", "content\n", bind("/mnt", src, "rbind", "rprivate", "relatime")},
		"tmpfs":              {"stat -c %a /mnt; df /mnt | grep -c 4096", "700\n1\n", tmpfs("size=4m", "mode=700")},
		"tmpfs, read-only":   {"touch /mnt/x 2>/dev/null || echo refused", "refused\n", tmpfs("ro")},
		"tmpfs with content": {"cat /etc/motd; echo x > /etc/motd && cat /etc/motd", "hello\nx\n", copied},
		"order": {"ls /mnt/sub/deep; cat /mnt/file", "content\n", func(s *specs.Spec) {
			bind("/mnt", src, "rbind")(s)
			bind("/mnt/sub", filepath.Join(src, "sub"), "rbind")(s)
		}},
		"proc":              {"mount | grep -c ' on /proc type proc '", "1\n", nil},
		"pts":               {"ls /dev/pts", "ptmx\n", nil},
		"a relative source": {"cat /mnt/config.json | grep -c ociVersion", "1\n", bind("/mnt", ".", "bind", "ro")},
		"through a link":    {"cat /etc/target/file", "content\n", bind("/link/target", src, "rbind")},
	} {
		b := w.bundle(c.script, c.change)
		root := filepath.Join(b, "rootfs")
		w.check(os.WriteFile(filepath.Join(root, "etc/motd"), []byte("hello\n"), 0o644))
		w.check(os.Symlink("etc", filepath.Join(root, "link")))
		if name == "order" {
			w.check(os.MkdirAll(filepath.Join(src, "sub/deep"), 0o755))
		}
		r := w.run("run", "--bundle", b, w.id())
		if !strings.Contains(r.out, c.want) {
			t.Errorf("%s: %s, want %q", name, r, c.want)
		}
	}
	if data, _ := os.ReadFile(filepath.Join(src, "new")); string(data) != "new\n" {
		t.Errorf("what was written is %q outside", data)
	}
}

// copied covers a directory with a tmpfs that has its content.
func copied(s *specs.Spec) {
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/etc", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}})
}

// TestHostileBundle: nothing outside of the bundle's root changes or is read,
// whatever the bundle's root is made of.
func TestHostileBundle(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(w.dir, "outside")
	w.check(os.Mkdir(outside, 0o755))
	w.check(os.WriteFile(filepath.Join(outside, "secret"), []byte("secret\n"), 0o600))
	src := filepath.Join(w.dir, "src")
	w.check(os.Mkdir(src, 0o755))
	for name, c := range map[string]struct {
		set    func(root string)
		change func(s *specs.Spec)
	}{
		"a link to outside":     {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, nil},
		"a link with many dots": {func(root string) { w.check(os.Symlink(strings.Repeat("../", 40)+outside, filepath.Join(root, "x"))) }, nil},
		"a link of links": {func(root string) {
			w.check(os.Symlink("y", filepath.Join(root, "x")))
			w.check(os.Symlink(outside, filepath.Join(root, "y")))
		}, nil},
		"a mount through it":        {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, mountAt("/x/made", src)},
		"a mount with dots":         {func(string) {}, mountAt("/../../../../"+outside+"/made", src)},
		"a file mounted through it": {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, mountAt("/x/made", busybox)},
		"a device through it":       {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, deviceAt("/x/made")},
		"a working directory":       {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, func(s *specs.Spec) { s.Process.Cwd = "/x/made" }},
		"a masked path through it":  {func(root string) { w.check(os.Symlink(outside, filepath.Join(root, "x"))) }, func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/x/secret"} }},
		"proc that is a link": {func(root string) {
			w.check(os.Remove(filepath.Join(root, "proc")))
			w.check(os.Symlink(outside, filepath.Join(root, "proc")))
		}, nil},
		"an attribute of a mount point": {func(root string) { w.check(os.Symlink(outside+"/secret", filepath.Join(root, "x"))) }, mountAt("/x", busybox)},
	} {
		b := w.bundle("cat /x/secret /dev/secret /proc/secret "+outside+"/secret; touch /x/made "+outside+"/made", c.change)
		c.set(filepath.Join(b, "rootfs"))
		// It may be refused or run; neither may reach outside.
		if r := w.run("run", "--bundle", b, w.id()); strings.Contains(r.out, "secret\n") && !strings.Contains(r.out, "cat:") {
			t.Errorf("%s: reads what is outside: %s", name, r)
		}
		entries, err := os.ReadDir(outside)
		w.check(err)
		if len(entries) != 1 {
			t.Errorf("%s: %v were made outside", name, entries)
		}
	}
}

func mountAt(to, from string) func(s *specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: to, Type: "bind", Source: from, Options: []string{"bind"}})
	}
}

func deviceAt(path string) func(s *specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{{Path: path, Type: "c", Major: 1, Minor: 3}}
	}
}

// TestSharedMounts: a shared mount is one among the namespaces inside.
func TestSharedMounts(t *testing.T) {
	w := newWorld(t)
	for kind, want := range map[string]string{"shared": "shared:", "rshared": "shared:", "private": " - ", "unbindable": "unbindable"} {
		got := w.output("grep ' /mnt ' /proc/self/mountinfo", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "tmpfs", Options: []string{kind}})
		})
		if !strings.Contains(got, want) || kind == "private" && strings.Contains(got, "shared") {
			t.Errorf("%s: %q", kind, got)
		}
	}
	if w.isRunc() {
		return // whose root is private for all that
	}
	if got := w.output("grep ' / ' /proc/self/mountinfo", func(s *specs.Spec) { s.Linux.RootfsPropagation = "shared" }); !strings.Contains(got, "shared:") {
		t.Errorf("a shared root: %q", got)
	}
}
