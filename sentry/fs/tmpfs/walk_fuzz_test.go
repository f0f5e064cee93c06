package tmpfs_test

import (
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

// jail makes a tree with a directory that its caller shall not leave, and links
// that try to.
func jail(t *testing.T) (w *vfstest.World, inner *vfs.Caller) {
	w = vfstest.NewWorld(t, newFS)
	c := w.Root
	for _, d := range []string{"/out", "/out/d", "/jail", "/jail/a", "/jail/a/b", "/jail/d"} {
		w.Want(w.Mkdir(c, d, 0o755), nil)
	}
	w.Write(c, "/out/secret", "outside")
	w.Write(c, "/jail/a/f", "inside")
	for name, target := range map[string]string{
		"/jail/up": "..", "/jail/a/up": "../../..", "/jail/abs": "/out", "/jail/loop": "loop", "/jail/a/l": "../d", "/jail/d/s": "/../out/secret",
		"/jail/a/b/far": "../../../out", "/jail/x": "y/../x", "/jail/root": "/", "/jail/long": strings.Repeat("a/../", 600),
	} {
		w.Want(w.Symlink(c, target, name), nil)
	}
	mounted := with(t, w.VFS, "mode=700")
	w.Want(w.VFS.Mount(mounted, w.Path(c, "/jail/d"), "test", 0), nil)
	in := *c
	in.Root, in.Cwd = w.Path(c, "/jail"), w.Path(c, "/jail/a")
	return w, &in
}

// Whatever a path says, a walk stays below the caller's root; under
// RESOLVE_BENEATH and RESOLVE_IN_ROOT below where it starts.
func FuzzWalk(f *testing.F) {
	for _, p := range []string{"", "/", ".", "..", "../../out/secret", "/up/out", "up/out/secret", "/abs", "root/out", "/d/../..", "b/far", "l/../../x", "/long", "//a//./b/..", "loop/f",
		strings.Repeat("../", 1300), strings.Repeat("n", 256), "a\x00b", "\xff\xfe/.."} {
		f.Add(p, uint64(0), uint32(0))
		f.Add(p, uint64(linux.RESOLVE_BENEATH), uint32(1))
		f.Add(p, uint64(linux.RESOLVE_IN_ROOT), uint32(2))
	}
	f.Fuzz(func(t *testing.T, path string, resolve uint64, flags uint32) {
		w, c := jail(t)
		how := linux.ResolveFlags(resolve) & (linux.RESOLVE_BENEATH | linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_XDEV | linux.RESOLVE_NO_MAGICLINKS)
		p, err := vfs.ResolveHow(c, c.Cwd, path, vfs.WalkFlags(flags)&0xf, how)
		if err != nil {
			if _, ok := err.(linux.Errno); !ok {
				t.Fatalf("an error that is no errno: %v", err)
			}
			return
		}
		defer p.DecRef()
		full := p.Name(w.Root.Root)
		limit := "/jail"
		if how&(linux.RESOLVE_BENEATH|linux.RESOLVE_IN_ROOT) != 0 {
			limit = "/jail/a"
		}
		if full != limit && !strings.HasPrefix(full, limit+"/") {
			t.Fatalf("%q with %#x leads to %s", path, how, full)
		}
	})
}
