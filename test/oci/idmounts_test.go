package oci

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// idMapsKnown skips runtimes that do not say they have identity-mapped mounts.
func (w *world) idMapsKnown() {
	var f struct {
		Linux struct {
			MountExtensions struct{ IDMap struct{ Enabled bool } }
		}
	}
	if r := w.run("features"); json.Unmarshal([]byte(r.out), &f) != nil || !f.Linux.MountExtensions.IDMap.Enabled {
		w.Skip("the runtime's features do not name mountExtensions.idmap (runc has them from 1.2 on)")
	}
}

// owned makes a directory that anybody may write, with a file of user 3 and group 4,
// and beside it a mount of the same.
func (w *world) owned() string {
	dir := filepath.Join(w.dir, "owned")
	fill := func(dir string) {
		for _, err := range []error{
			os.MkdirAll(dir, 0o777), os.Chmod(dir, 0o777), os.WriteFile(filepath.Join(dir, "f"), nil, 0o644), os.Chown(filepath.Join(dir, "f"), 3, 4),
		} {
			if err != nil {
				w.Fatal(err)
			}
		}
	}
	fill(dir)
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		w.Fatal(err)
	}
	if err := unix.Mount("tmpfs", sub, "tmpfs", 0, "size=64k"); err != nil {
		w.Skipf("no mounts: %v", err)
	}
	w.Cleanup(func() { unix.Unmount(sub, unix.MNT_DETACH) })
	fill(sub)
	return dir
}

// TestIDMappedMounts: what is user 3's on the host is another's in the container, and
// what the container's users make is in turn another's on the host.
func TestIDMappedMounts(t *testing.T) {
	const show = `cd /mnt; stat -c %u:%g f sub/f; touch n && stat -c %u:%g n; `
	maps := func(to uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{ContainerID: 0, HostID: to, Size: 100}}
	}
	for name, c := range map[string]struct {
		userNS  uint32 // where its ids are on the host; 0: there is none
		uid     uint32 // of the container's process
		maps    []specs.LinuxIDMapping
		options []string
		want    string
		made    uint32 // who owns on the host what was made
	}{
		"by mappings alone":          {0, 1005, maps(1000), []string{"rbind"}, "1003:1004\n3:4\n1005:1005\n", 5},
		"idmap":                      {0, 1005, maps(1000), []string{"rbind", "idmap"}, "1003:1004\n3:4\n1005:1005\n", 5},
		"ridmap":                     {0, 1005, maps(1000), []string{"rbind", "ridmap"}, "1003:1004\n1003:1004\n1005:1005\n", 5},
		"another user":               {0, 7, maps(1000), []string{"rbind", "ridmap"}, "1003:1004\n1003:1004\n", 0},
		"of a user namespace":        {100000, 5, nil, []string{"rbind", "ridmap"}, "3:4\n3:4\n5:5\n", 5},
		"of a user namespace once":   {100000, 5, nil, []string{"rbind", "idmap"}, "3:4\n65534:65534\n5:5\n", 5},
		"others in a user namespace": {100000, 25, maps(100020), []string{"rbind", "idmap", "ro"}, "23:24\n65534:65534\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.idMapsKnown()
			src := w.owned()
			b := w.bundle(show, func(s *specs.Spec) {
				s.Process.User = specs.User{UID: c.uid, GID: c.uid}
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "bind", Source: src, Options: c.options, UIDMappings: c.maps, GIDMappings: c.maps})
				if c.userNS != 0 {
					s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
					s.Linux.UIDMappings, s.Linux.GIDMappings = maps(c.userNS), maps(c.userNS)
				}
			})
			w.check(os.Mkdir(filepath.Join(b, "rootfs/mnt"), 0o755))
			// The way to the root is for the namespace's root too.
			for d := b; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
				os.Chmod(d, 0o755)
			}
			if r := w.run("run", "--bundle", b, w.id()); r.out != c.want {
				t.Fatalf("%s, want %q", r, c.want)
			}
			var st syscall.Stat_t
			if err := syscall.Stat(filepath.Join(src, "n"), &st); c.made != 0 && (err != nil || st.Uid != c.made || st.Gid != c.made) {
				t.Errorf("on the host it is %d:%d's (%v), want %d", st.Uid, st.Gid, err, c.made)
			}
		})
	}
}

// TestIDMapsRefused: a map that cannot be is an error that names it.
func TestIDMapsRefused(t *testing.T) {
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 100}}
	for name, c := range map[string]struct {
		mount specs.Mount
		want  string
	}{
		"an option without maps": {specs.Mount{Options: []string{"bind", "idmap"}}, "idmap|mapping|mount_setattr"},
		"users alone":            {specs.Mount{Options: []string{"bind"}, UIDMappings: maps}, "gidMappings|mapping"},
		"groups alone":           {specs.Mount{Options: []string{"bind"}, GIDMappings: maps}, "uidMappings|mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.idMapsKnown()
			b := w.bundle("true", func(s *specs.Spec) {
				c.mount.Destination, c.mount.Type, c.mount.Source = "/mnt", "bind", w.dir
				s.Mounts = append(s.Mounts, c.mount)
			})
			r := w.run("run", "--bundle", b, w.id())
			named := false
			for _, word := range strings.Split(c.want, "|") {
				named = named || strings.Contains(r.errors, word)
			}
			if r.code == 0 || !named {
				t.Errorf("%s, want an error with %q", r, c.want)
			}
		})
	}
}

// TestIDMappedTmpfs: a file system that the container has of its own.
func TestIDMappedTmpfs(t *testing.T) {
	w := newWorld(t)
	w.idMapsKnown()
	if filepath.Base(w.runtime) == "runc" {
		t.Skip("runc maps the ids of bind mounts only")
	}
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 100}}
	b := w.bundle("stat -c %u:%g /mnt; grep -c idmapped /proc/self/mountinfo", func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "tmpfs", UIDMappings: maps, GIDMappings: maps})
	})
	if r := w.run("run", "--bundle", b, w.id()); r.out != "1000:1000\n1\n" {
		t.Error(r)
	}
}
