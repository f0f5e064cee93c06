package gofertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/internal/linux"
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
			if _, err := e.root.Scan([]string{name}, 1000); err != error(linux.EINVAL) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("has whole directories where there is no room", func(t *testing.T) {
		for i := range 50 {
			e.write(fmt.Sprintf("wide/%02d/file", i), "")
		}
		sc, err := e.root.Scan([]string{"d", "wide"}, 2000)
		e.must(err)
		if len(sc) != 1 || sc[0].Name != "d" || len(sc[0].Entries) != 1 {
			t.Errorf("%+v", sc)
		}
		sc, err = e.root.Scan([]string{"wide"}, 10000)
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
	sc, err := e.root.Scan(names, room)
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
