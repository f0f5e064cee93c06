package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// volume makes a directory that is a shared mount on the host.
func (w *world) volume() string {
	w.Helper()
	dir := filepath.Join(w.dir, "volume")
	w.check(os.MkdirAll(filepath.Join(dir, "at"), 0o755))
	w.check(unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	w.Cleanup(func() {
		for unix.Unmount(dir, unix.MNT_DETACH) == nil {
		}
	})
	w.check(unix.Mount("", dir, "", unix.MS_SHARED, ""))
	return dir
}

// bidirectional puts a volume at /v, whose mounts inside come to the host.
func bidirectional(volume string) func(s *specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.RootfsPropagation = "rshared"
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/v", Type: "bind", Source: volume, Options: []string{"rbind", "rshared"}})
		caps := append(s.Process.Capabilities.Bounding, "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE")
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
		s.Process.NoNewPrivileges = false
	}
}

// mountsBelow returns what the host has mounted below dir, deepest last.
func (w *world) mountsBelow(dir string) (found []string) {
	w.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	w.check(err)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); strings.HasPrefix(f[4], dir+"/") {
			found = append(found, strings.TrimPrefix(f[4], dir+"/"))
		}
	}
	return found
}

// A server is a container that runs scripts which the host gives it.
type server struct {
	*world
	id, bundle, ctl string
}

// serve starts a container with a volume whose mounts come to the host. Its root has a
// directory with a file.
func (w *world) serve(volume string) *server {
	w.Helper()
	ctl, err := os.MkdirTemp(w.dir, "ctl")
	w.check(err)
	b := w.bundle("touch /ready; while true; do if test -e /ctl/cmd; then sh /ctl/cmd > /ctl/out 2>&1; rm /ctl/cmd; fi; sleep 0.02; done", func(s *specs.Spec) {
		bidirectional(volume)(s)
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/ctl", Type: "bind", Source: ctl, Options: []string{"bind"}})
	})
	src := filepath.Join(b, "rootfs/src")
	w.check(os.MkdirAll(filepath.Join(src, "sub"), 0o755))
	w.check(os.WriteFile(filepath.Join(src, "file"), []byte("content\n"), 0o644))
	return &server{w, w.start(b), b, ctl}
}

// do has the container run a script.
func (s *server) do(script string) string {
	s.Helper()
	s.check(os.WriteFile(filepath.Join(s.ctl, "new"), []byte(script), 0o644))
	s.check(os.Rename(filepath.Join(s.ctl, "new"), filepath.Join(s.ctl, "cmd")))
	s.eventually("the script ends", func() bool {
		_, err := os.Stat(filepath.Join(s.ctl, "cmd"))
		return err != nil
	})
	return s.readFile(filepath.Join(s.ctl, "out"))
}

// TestMountsComeToTheHost: of a volume that is shared with the host.
func TestMountsComeToTheHost(t *testing.T) {
	w := newWorld(t)
	vol := w.volume()
	c, other := w.serve(vol), w.serve(vol)

	w.want("bind", c.do("mount --bind /src /v/at && cat /v/at/file && grep -c ' /v/at ' /proc/self/mountinfo"), "content\n1\n")
	w.want("on the host", w.readFile(filepath.Join(vol, "at/file")), "content\n")
	w.want("in another container", other.do("cat /v/at/file"), "content\n")
	w.want("nested", c.do("mkdir /v/at/sub/deep; mount --bind /v/at /v/at/sub && cat /v/at/sub/file"), "content\n")
	w.want("mounts", strings.Join(w.mountsBelow(vol), " "), "at at/sub")
	w.want("busy", c.do("umount /v/at 2>/dev/null || echo busy; umount /v/at/sub && umount /v/at && ls /v/at"), "busy\n")
	w.want("unmounted", strings.Join(w.mountsBelow(vol), " "), "")

	w.want("tmpfs", c.do("mount -t tmpfs -o size=1m,mode=755 none /v/at && echo there > /v/at/x && cat /v/at/x"), "there\n")
	w.want("tmpfs on the host", w.readFile(filepath.Join(vol, "at/x")), "there\n")
	var st unix.Statfs_t
	w.check(unix.Statfs(filepath.Join(vol, "at"), &st))
	if st.Type != unix.TMPFS_MAGIC || st.Blocks*uint64(st.Bsize) != 1<<20 {
		t.Errorf("the host has a file system of type %x with %d blocks", st.Type, st.Blocks)
	}
	w.check(os.WriteFile(filepath.Join(vol, "at/written"), []byte("by the host\n"), 0o644))
	w.want("written outside", c.do("cat /v/at/written"), "by the host\n")
	w.want("lazily", c.do("umount -l /v/at && ls /v/at"), "")
	w.want("unmounted lazily", strings.Join(w.mountsBelow(vol), " "), "")

	w.want("a file", c.do("touch /v/f; mount --bind /src/file /v/f && cat /v/f"), "content\n")
	w.want("a file on the host", w.readFile(filepath.Join(vol, "f")), "content\n")
	w.want("its end", c.do("umount /v/f && cat /v/f"), "")

	// What the host takes away is gone inside, and what it brings is there.
	c.do("mount --bind /src /v/at")
	w.check(unix.Unmount(filepath.Join(vol, "at"), unix.MNT_DETACH))
	w.want("taken away", c.do("ls /v/at; grep -c ' /v/at ' /proc/self/mountinfo"), "0\n")
	w.check(unix.Mount(filepath.Join(c.bundle, "rootfs/src"), filepath.Join(vol, "at"), "", unix.MS_BIND, ""))
	w.want("brought", c.do("cat /v/at/file"), "content\n")
	w.check(unix.Unmount(filepath.Join(vol, "at"), unix.MNT_DETACH))

	// What is mounted when the container ends stays.
	c.do("mount --bind /src /v/at")
	w.must("delete", "--force", c.id)
	w.want("after the end", w.readFile(filepath.Join(vol, "at/file")), "content\n")
	w.want("after the end, inside another", other.do("cat /v/at/file"), "content\n")
}

// TestMountsStayInside: what a volume does not share, and what the guest has cut off.
func TestMountsStayInside(t *testing.T) {
	w := newWorld(t)
	vol := w.volume()
	for name, c := range map[string]struct {
		options []string
		root    string
		script  string
	}{
		"private":           {[]string{"rbind", "rprivate"}, "rshared", ""},
		"slave":             {[]string{"rbind", "rslave"}, "rshared", ""},
		"the root is slave": {[]string{"rbind", "rshared"}, "rslave", ""},
		"cut off":           {[]string{"rbind", "rshared"}, "rshared", "mount --make-private /v; "},
	} {
		b := w.bundle(c.script+"mount --bind /etc /v/at && grep -c ' /v/at ' /proc/self/mountinfo", func(s *specs.Spec) {
			bidirectional(vol)(s)
			s.Linux.RootfsPropagation, s.Mounts[len(s.Mounts)-1].Options = c.root, c.options
		})
		if r := w.run("run", "--bundle", b, w.id()); r.out != "1\n" {
			t.Errorf("%s: %s", name, r)
		}
		if m := w.mountsBelow(vol); len(m) != 0 {
			t.Errorf("%s: the host has %v", name, m)
		}
	}
}

// TestHostileMounts: nothing outside of the volume is mounted on, or unmounted.
func TestHostileMounts(t *testing.T) {
	w := newWorld(t)
	vol := w.volume()
	outside := filepath.Join(w.dir, "outside")
	w.check(os.MkdirAll(filepath.Join(outside, "at"), 0o755))
	w.check(os.Symlink(outside, filepath.Join(vol, "link")))
	w.check(os.Symlink("../outside", filepath.Join(vol, "up")))
	hosts := filepath.Join(vol, "hosts")
	w.check(os.Mkdir(hosts, 0o755))
	c := w.serve(vol)
	before := w.mountsBelow(w.dir)
	for _, path := range []string{"/v/link", "/v/link/at", "/v/up/at", "/v/../outside/at", "/v/at/../../outside", outside, outside + "/at"} {
		c.do("mount --bind /src " + path)
	}
	if !w.isRunc() { // for which "/v/.." is the root
		w.want("outside", strings.Join(w.mountsBelow(w.dir), " "), strings.Join(before, " "))
	}
	// The host's own mount.
	w.check(unix.Mount(outside, hosts, "", unix.MS_BIND, ""))
	c.do("umount /v/hosts; umount -l /v/hosts")
	if m := w.mountsBelow(vol); !w.isRunc() && strings.Join(m, " ") != "hosts" {
		t.Errorf("the host has %v", m)
	}
	unix.Unmount(hosts, unix.MNT_DETACH)
	if w.isRunc() {
		return
	}
	// File systems of the guest's kernel.
	for _, typ := range []string{"proc", "sysfs", "devpts", "mqueue"} {
		if out := c.do("mount -t " + typ + " x /v/at"); !strings.Contains(out, "not supported") {
			t.Errorf("%s: %q", typ, out)
		}
	}
	if out := c.do("mount --bind /proc/self /v/at; mount --rbind /dev /v/at; mount -t tmpfs -o size=1m,huge=always x /v/at"); strings.Count(out, "mount:") != 3 {
		t.Errorf("binds of the guest's kernel: %q", out)
	}
	w.want("nothing", strings.Join(w.mountsBelow(vol), " "), "")
	// Over the volume itself: the host has it there, and nowhere else.
	c.do("mount --bind /src /v && touch /v/over && umount /v")
	w.want("the volume", strings.Join(w.mountsBelow(filepath.Dir(vol)), " "), strings.Join(before, " "))
}

// TestManyMounts: the host has no more than a bounded number.
func TestManyMounts(t *testing.T) {
	w := newWorld(t)
	if w.isRunc() {
		t.Skip("runc has no bound but the host's")
	}
	vol := w.volume()
	c := w.serve(vol)
	// Each more than doubles what there is.
	out := c.do("for i in $(seq 12); do mkdir /v/s$i; mount --rbind /v /v/s$i; done")
	if n := len(w.mountsBelow(vol)); n > 1024 || !strings.Contains(out, "No space left") {
		t.Errorf("%d mounts on the host: %s", n, out)
	}
	w.want("again", c.do("umount -l /v/s1 && mount --bind /etc /v/s1 && echo yes"), "yes\n")
	c.do("umount -l /v/s1; umount -l /v/s2; umount -l /v/s3; umount -l /v/s4")
	w.want("none", strings.Join(w.mountsBelow(vol), " "), "")
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w *world) readFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
