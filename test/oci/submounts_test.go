package oci

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mountBelow makes a directory with a file in it, and a tmpfs with another file on
// its directory sub.
func (w *world) mountBelow(flags uintptr) string {
	w.Helper()
	src := filepath.Join(w.dir, "tree")
	sub := filepath.Join(src, "sub")
	w.check(os.MkdirAll(sub, 0o755))
	w.check(os.WriteFile(filepath.Join(sub, "below"), nil, 0o644))
	w.check(unix.Mount("tmpfs", sub, "tmpfs", 0, ""))
	w.Cleanup(func() { unix.Unmount(sub, unix.MNT_DETACH) })
	w.check(os.WriteFile(filepath.Join(sub, "above"), nil, 0o644))
	if flags != 0 {
		w.check(unix.Mount("", sub, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""))
	}
	return src
}

func TestBindMountsWithMountsBelow(t *testing.T) {
	const try = `ls /mnt/sub; touch /mnt/x 2>/dev/null && echo top; touch /mnt/sub/x 2>/dev/null && echo sub; rm -f /mnt/x /mnt/sub/x; `
	for name, c := range map[string]struct {
		flags   uintptr
		options []string
		script  string
		want    string
	}{
		"recursive":        {0, []string{"rbind"}, try, "above\ntop\nsub\n"},
		"alone":            {0, []string{"bind"}, try, "below\ntop\nsub\n"},
		"read-only above":  {0, []string{"rbind", "ro"}, try, "above\nsub\n"},
		"read-only at all": {0, []string{"rbind", "rro"}, try, "above\n"},
		"read-only below":  {unix.MS_RDONLY, []string{"rbind"}, try, "above\ntop\n"},
		"writable below":   {unix.MS_RDONLY, []string{"rbind", "ro", "rrw"}, try, "above\ntop\nsub\n"},
		"flags below": {unix.MS_NOEXEC | unix.MS_NOSUID, []string{"rbind", "rnodev"},
			"grep ' /mnt/sub ' /proc/self/mountinfo | grep -c 'rw,nosuid,nodev,noexec'; grep ' /mnt ' /proc/self/mountinfo | grep -c noexec", "1\n0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			src := w.mountBelow(c.flags)
			b := w.bundle(c.script, func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "bind", Source: src, Options: c.options})
			})
			if r := w.run("run", "--bundle", b, w.id()); r.out != c.want {
				t.Errorf("%s, want %q", r, c.want)
			}
		})
	}
}
