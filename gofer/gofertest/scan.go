package gofertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// scans checks listings of whole trees, and of names that are known.
func scans(e *env) {
	t := e.T
	t.Run("attributes of names", func(t *testing.T) { statsMany(e) })
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
		all := scanAll(t, e, []string{"a", "b"}, []string{"c"}, 1<<20, false)
		if len(all) != 1 || all[0].path != "c" || len(all[0].items) != 1 {
			t.Errorf("%+v", all)
		}
		for path, want := range map[string]linux.Errno{"link": linux.ENOTDIR, "d/4": linux.ENOTDIR, "x": linux.ENOENT, "..": linux.EINVAL} {
			_, err := scanOne(e, strings.Split(path, "/"), []string{"c"}, 1000)
			e.want(err, want)
			_, err = e.root.OpenMany(strings.Split(path, "/"), []string{"secret"})
			e.want(err, want)
			_, err = e.root.StatMany(strings.Split(path, "/"), []string{"secret"})
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
			if _, err := scanOne(e, nil, []string{name}, 1000); err != error(linux.EINVAL) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	pieces(e)
}

// pieces checks scans that one packet does not hold.
func pieces(e *env) {
	t := e.T
	t.Run("comes in pieces", func(t *testing.T) {
		for i := range 50 {
			e.write(fmt.Sprintf("wide/%02d/x/file", i), "")
		}
		for _, attrs := range []bool{false, true} {
			all := scanAll(t, e, nil, []string{"d", "wide"}, 1000, attrs)
			last := all[len(all)-1]
			if len(all) != 102 || all[0].path != "d" || last.piece < 3 || last.piece > 50 {
				t.Errorf("%d directories in %d pieces", len(all), last.piece+1)
			}
		}
	})
	t.Run("leaves out what no packet holds", func(t *testing.T) {
		for i := range 600 {
			e.write("large/"+strings.Repeat("n", 240)+fmt.Sprint(i), "")
		}
		e.write("later/file", "")
		all := scanAll(t, e, nil, []string{"d", "large", "later"}, 1<<20, false)
		if len(all) != 2 || all[1].path != "later" {
			t.Errorf("%d directories", len(all))
		}
	})
	t.Run("ends when it is closed", func(t *testing.T) {
		s, err := e.root.Scan(nil, []string{"wide"}, 1000, false)
		e.must(err)
		s.Close()
		if _, err := s.Wait(); err == nil || s.More(1000, false) {
			t.Error("it goes on")
		}
	})
}

// A scanned is a directory of a scan.
type scanned struct {
	path  string
	attr  client.Attr
	items []donate.Item
	text  *client.Listing
	piece int
}

// scanAll makes a whole scan.
func scanAll(t *testing.T, e *env, path, names []string, room int, attrs bool) (all []scanned) {
	t.Helper()
	s, err := e.root.Scan(path, names, room, attrs)
	e.must(err)
	defer s.Close()
	var way []scanned
	for piece := 0; ; piece++ {
		l, err := s.Wait()
		e.must(err)
		for _, d := range l.Dirs {
			x := scanned{attr: l.Attr(d.Attr, d.Form, 0), text: l, piece: piece}
			if d.Depth == 0 {
				x.path = names[d.Which]
			} else {
				above := way[d.Depth-1]
				x.path = above.path + "/" + above.items[d.Which].Name
			}
			for i := range int(d.Count) {
				x.items = append(x.items, l.Item(d.First+i))
			}
			way = append(way[:d.Depth], x)
			all = append(all, x)
		}
		if !s.More(room, attrs) {
			return all
		}
	}
}

// scanOne makes the first piece of a scan.
func scanOne(e *env, path, names []string, room int) (*client.Listing, error) {
	s, err := e.root.Scan(path, names, room, true)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Wait()
}

// paths returns what a scan shows, sorted, directories that were listed with a
// slash.
func paths(t *testing.T, e *env, names []string, room int) []string {
	t.Helper()
	var plain, all []string
	for _, attrs := range []bool{false, true} {
		plain, all = all, nil
		for _, d := range scanAll(t, e, nil, names, room, attrs) {
			all = append(all, d.path+"/")
			if !d.attr.Mode.IsDir() {
				t.Errorf("%s: %+v", d.path, d.attr)
			}
			for _, x := range d.items {
				all = append(all, d.path+"/"+x.Name)
				if (x.Form != donate.FormNone) != attrs || (x.Type == linux.DT_LNK && attrs) != (x.Target != "") {
					t.Errorf("%s: %+v", x.Name, x)
				}
			}
		}
	}
	if !slices.Equal(plain, all) {
		t.Errorf("without attributes %v", plain)
	}
	slices.Sort(all)
	return all
}

// statsMany asks for the attributes of names.
func statsMany(e *env) {
	e.write("f", "contents")
	e.must(os.Symlink("target", e.host("alias")))
	l, err := e.root.StatMany(nil, []string{"f", "absent", "alias"})
	e.must(err)
	if len(l.Items) != 3 {
		e.Fatalf("%d answers", len(l.Items))
	}
	f := l.Item(0)
	if a := l.Attr(f.Attr, f.Form, 0); a.Size != 8 || !a.Mode.IsRegular() {
		e.Errorf("%+v", a)
	}
	if it := l.Item(1); it.Form != donate.FormNone {
		e.Errorf("absent is %+v", it)
	}
	if it := l.Item(2); it.Target != "target" {
		e.Errorf("%+v", it)
	}
	_, err = e.root.StatMany(nil, []string{"f", ".."})
	e.want(err, linux.EINVAL)
}

// opensMany opens many files at once, of a mount that can be written or not.
func opensMany(e *env) {
	var names []string
	for i := range donate.MaxFDs {
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
			if s := e.text(o); s != "contents of "+names[i] || o.Attr.Size != uint64(len(s)) {
				e.Errorf("%s: %q, %d bytes", names[i], s, o.Attr.Size)
			}
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
	_, err := e.root.OpenMany(nil, slices.Repeat([]string{"0"}, client.MaxOpen+1))
	e.want(err, linux.EINVAL)
}

// text returns what is in an opened file, and closes it.
func (e *env) text(o client.Opened) string {
	if o.FD < 0 {
		return string(o.Contents)
	}
	defer unix.Close(o.FD)
	b := make([]byte, 1<<20)
	n, err := unix.Pread(o.FD, b, 0)
	e.must(err)
	return string(b[:n])
}

// readsMany looks which files of a mount that cannot be written come as contents.
func readsMany(e *env) {
	want := map[string]string{"empty": ""}
	for _, n := range []int{1, 4095, donate.MaxInline - 1, donate.MaxInline, donate.MaxInline + 1} {
		want[fmt.Sprint(n)] = strings.Repeat(string(rune('a'+n%26)), n)
	}
	var names []string
	for name, s := range want {
		e.write(name, s)
		names = append(names, name)
	}
	got, err := e.root.OpenMany(nil, names)
	e.must(err)
	for i, o := range got {
		s := want[names[i]]
		if in := len(s) > 0 && len(s) <= donate.MaxInline; in != (o.FD < 0) {
			e.Errorf("%s: descriptor %d", names[i], o.FD)
		}
		if e.text(o) != s {
			e.Errorf("%s has something else", names[i])
		}
	}
	if len(got) != len(names) {
		e.Errorf("%d of %d", len(got), len(names))
	}
	// What does not fit is left for another time.
	got, err = e.root.OpenMany(nil, slices.Repeat([]string{fmt.Sprint(donate.MaxInline)}, 10))
	e.must(err)
	if n := donate.MaxContents / donate.MaxInline; len(got) != n {
		e.Errorf("%d files of %d bytes, want %d", len(got), donate.MaxInline, n)
	}
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
	for first := true; first || cookie != 0; trips++ {
		first = false
		l, err := e.root.Readdir(cookie, true)
		e.must(err)
		cookie = l.Next
		for i := range l.Items {
			x := l.Item(i)
			if !want[x.Name] {
				e.Errorf("%q listed twice or not there", x.Name)
			}
			delete(want, x.Name)
			a := l.Attr(x.Attr, x.Form, 0)
			switch {
			case x.Name == "link" && x.Target != "target":
				e.Errorf("link to %q", x.Target)
			case x.Name != "link" && a.Mode != linux.S_IFREG|0o644:
				e.Errorf("%q: %+v", x.Name, a)
			}
		}
	}
	if len(want) > 0 {
		e.Errorf("%d not listed", len(want))
	}
	if trips > 5 {
		e.Errorf("%d round trips", trips)
	}
}
