package gofertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/gofer/client"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// scans checks listings of whole trees.
func scans(e *env) {
	t := e.T
	for _, f := range []string{"a/1", "a/b/2", "a/b/c/3", "d/4", "e/f/g/h/5"} {
		e.write(f, f)
	}
	e.must(os.MkdirAll(e.host("empty"), 0o755))
	out := t.TempDir()
	e.must(os.WriteFile(filepath.Join(out, "secret"), nil, 0o644))
	e.must(os.Symlink(out, e.host("link")))
	e.must(os.Symlink(out, e.host("a/out")))

	t.Run("lists what is below", func(t *testing.T) {
		got := paths(t, e, []string{"a", "empty", "d"}, 1<<20)
		want := []string{"a/", "a/1", "a/b", "a/b/", "a/b/2", "a/b/c", "a/b/c/", "a/b/c/3", "a/out", "d/", "d/4", "empty/"}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
	t.Run("begins where a path leads", func(t *testing.T) {
		sc, err := e.root.Scan([]string{"a", "b"}, []string{"c"}, 1<<20)
		e.must(err)
		if len(sc) != 1 || sc[0].Name != "c" || sc[0].Parent != -1 || len(sc[0].Entries) != 1 {
			t.Errorf("%+v", sc)
		}
		for path, want := range map[string]linux.Errno{"link": linux.ENOTDIR, "d/4": linux.ENOTDIR, "x": linux.ENOENT, "..": linux.EINVAL} {
			_, err := e.root.Scan(strings.Split(path, "/"), []string{"c"}, 1000)
			e.want(err, want)
			_, err = e.root.OpenMany(strings.Split(path, "/"), []string{"secret"})
			e.want(err, want)
		}
	})
	t.Run("does not follow links", func(t *testing.T) {
		if got := paths(t, e, []string{"link"}, 1<<20); len(got) > 0 {
			t.Errorf("listed %v", got)
		}
	})
	t.Run("leaves out what is not there", func(t *testing.T) {
		if got := paths(t, e, []string{"absent", "a"}, 1<<20); len(got) == 0 {
			t.Error("a is left out too")
		}
	})
	t.Run("refuses what is no name", func(t *testing.T) {
		for _, name := range []string{"..", ".", "", "a/b", "a\x00"} {
			if _, err := e.root.Scan(nil, []string{name}, 1000); err != error(linux.EINVAL) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("has whole directories where there is no room", func(t *testing.T) {
		for i := range 50 {
			e.write(fmt.Sprintf("wide/%02d/file", i), "")
		}
		sc, err := e.root.Scan(nil, []string{"d", "wide"}, 2000)
		e.must(err)
		if len(sc) != 1 || sc[0].Name != "d" || len(sc[0].Entries) != 1 {
			t.Errorf("%+v", sc)
		}
		sc, err = e.root.Scan(nil, []string{"wide"}, 10000)
		e.must(err)
		if len(sc) < 2 || len(sc) > 40 || len(sc[0].Entries) != 50 {
			t.Errorf("%d directories", len(sc))
		}
	})
}

// paths returns what a scan shows, sorted, directories that were listed with a
// slash.
func paths(t *testing.T, e *env, names []string, room int) []string {
	t.Helper()
	sc, err := e.root.Scan(nil, names, room)
	e.must(err)
	var all []string
	dirs := make([]string, len(sc))
	for i, d := range sc {
		dirs[i] = d.Name
		if d.Parent >= 0 {
			dirs[i] = dirs[d.Parent] + "/" + d.Name
		}
		all = append(all, dirs[i]+"/")
		for _, x := range d.Entries {
			all = append(all, dirs[i]+"/"+x.Name)
			if !x.Attr.Mode.IsDir() && strings.HasSuffix(x.Name, "out") != (x.Target != "") {
				t.Errorf("%s: %+v", x.Name, x)
			}
		}
	}
	slices.Sort(all)
	return all
}

func opensMany(e *env) {
	var names []string
	for i := range client.MaxOpen {
		name := fmt.Sprint(i)
		e.write(name, "contents of "+name)
		names = append(names, name)
	}
	e.must(os.Mkdir(e.host("d"), 0o755))
	e.must(unix.Mkfifo(e.host("fifo"), 0o644))
	e.must(os.Symlink("0", e.host("link")))
	open := func(want int, names ...string) {
		e.Helper()
		got, err := e.root.OpenMany(nil, names)
		e.must(err)
		if len(got) != want {
			e.Errorf("%d of %v opened, want %d", len(got), names, want)
		}
		for i, o := range got {
			b := make([]byte, 100)
			n, err := unix.Pread(o.FD, b, 0)
			e.must(err)
			if s := string(b[:n]); s != "contents of "+names[i] || o.Attr.Size != uint64(n) {
				e.Errorf("%s: %q, %d bytes", names[i], s, o.Attr.Size)
			}
			unix.Close(o.FD)
		}
	}
	open(len(names), names...)
	for _, stop := range []string{"absent", "d", "fifo", "link"} {
		open(1, "1", stop, "2")
		if _, err := e.root.OpenMany(nil, []string{stop, "1"}); err == nil {
			e.Errorf("%s was opened", stop)
		}
	}
	for _, bad := range []string{"", "..", "a/b"} {
		_, err := e.root.OpenMany(nil, []string{"1", bad})
		e.want(err, linux.EINVAL)
	}
	_, err := e.root.OpenMany(nil, append(names, "0"))
	e.want(err, linux.EINVAL)
}

func walkBare(e *env) {
	e.write("a/b/f", "contents")
	steps, _, err := e.root.Walk([]string{"a", "b", "f"}, client.WalkOption{Bare: true})
	e.must(err)
	if len(steps) != 3 || steps[0].Node != nil || steps[1].Node != nil || steps[2].Attr.Size != 8 {
		e.Errorf("%+v", steps)
	}
	steps, _, err = e.root.Walk([]string{"a", "x", "f"}, client.WalkOption{Bare: true})
	e.want(err, linux.ENOENT)
	if len(steps) != 1 {
		e.Errorf("%+v", steps)
	}
}

func listing(e *env) {
	want := map[string]bool{}
	for i := range 3000 {
		name := fmt.Sprintf("file-with-a-longer-name-%d", i)
		e.write(name, name[:i%20])
		want[name] = true
	}
	e.must(os.Symlink("target", e.host("link")))
	want["link"] = true
	var cookie uint64
	trips := 0
	for end := false; !end; trips++ {
		var d []client.Dirent
		var err error
		d, end, err = e.root.Readdir(cookie)
		e.must(err)
		for _, x := range d {
			if !want[x.Name] {
				e.Errorf("%q listed twice or not there", x.Name)
			}
			delete(want, x.Name)
			cookie = x.Next
			switch {
			case x.Name == "link" && x.Target != "target":
				e.Errorf("link to %q", x.Target)
			case x.Name != "link" && x.Attr.Mode != linux.S_IFREG|0o644:
				e.Errorf("%q: %+v", x.Name, x.Attr)
			}
		}
	}
	if len(want) > 0 {
		e.Errorf("%d not listed", len(want))
	}
	if trips > 8 {
		e.Errorf("%d round trips", trips)
	}
}
