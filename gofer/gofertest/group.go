package gofertest

import (
	"os"
	"strings"

	"cordon/gofer/client"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// opensTree opens files of several directories at once, and what must not be opened
// among them, of a mount that can be written or not.
func opensTree(e *env) {
	for _, f := range []string{"top", "a/1", "a/2", "a/b/3", "a/c/4", "d/5"} {
		e.write(f, "contents of "+f)
	}
	e.must(os.Symlink("a", e.host("link")))
	e.must(unix.Mkfifo(e.host("d/fifo"), 0o644))
	group := func(dir string, names ...string) client.Group {
		return client.Group{Path: strings.FieldsFunc(dir, func(r rune) bool { return r == '/' }), Names: names}
	}
	open := func(want string, groups ...client.Group) {
		e.Helper()
		o, err := e.root.BeginOpenMany(groups)
		e.must(err)
		got, err := o.Wait()
		if want == "" {
			if err == nil {
				e.Errorf("%d opened of %v", len(got), groups)
			}
			return
		}
		e.must(err)
		var all []string
		for _, f := range got {
			all = append(all, strings.TrimPrefix(e.text(f), "contents of "))
		}
		if s := strings.Join(all, " "); s != want {
			e.Errorf("opened %s, want %s", s, want)
		}
	}
	open("a/1 a/b/3 a/c/4 a/2 d/5 top",
		group("a", "1"), group("a/b", "3"), group("a/c", "4"), group("a", "2"), group("d", "5"), group("", "top"))
	open("a/1", group("a", "1"), group("link", "2"), group("d", "5"))
	open("a/1 a/2", group("a", "1", "2"), group("a/1", "3"), group("d", "5"))
	open("d/5", group("d", "5", "fifo", "5"))
	open("", group("link", "1"))
	open("", group("absent", "1"), group("a", "1"))
	for _, bad := range [][]client.Group{
		nil, {group("a")}, {group("..", "1")}, {group("a", "../top")}, {group("a", "1"), group("a", "")},
	} {
		_, err := e.root.BeginOpenMany(bad)
		e.want(err, linux.EINVAL)
	}
	for name, regular := range map[string]bool{"top": true, "link": false, "d": false, "a/b": false, "a/b/3": true, "d/fifo": false} {
		steps, fd, err := e.root.Walk(strings.Split(name, "/"), client.WalkOption{Open: true})
		e.must(err)
		if (fd >= 0) != regular {
			e.Errorf("a walk to %s: descriptor %d", name, fd)
		}
		if fd >= 0 {
			if s := e.text(client.Opened{FD: fd}); s != "contents of "+name {
				e.Errorf("a walk to %s opened %q", name, s)
			}
		}
		last := steps[len(steps)-1]
		if dir := last.Attr.Mode.IsDir(); dir != (last.Node != nil) || (last.Target != "") != (name == "link") {
			e.Errorf("a walk to %s: %+v", name, last)
		}
	}
	_, _, err := e.root.Walk([]string{"a", "absent"}, client.WalkOption{Open: true})
	e.want(err, linux.ENOENT)
	_, _, err = e.root.Walk([]string{"d", "fifo", "x"}, client.WalkOption{})
	if err != nil && err != error(linux.ENOTDIR) {
		e.Errorf("a walk through a FIFO: %v", err)
	}
}
