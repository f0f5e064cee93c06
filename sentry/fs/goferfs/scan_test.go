package goferfs

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// walkTree reads in and everything below it as find does, and returns the
// paths.
func (e *env) walkTree(in vfs.Inode, path string, out *[]string) {
	for _, name := range e.names(in) {
		*out = append(*out, path+"/"+name)
		c, err := in.(vfs.Directory).Lookup(name)
		e.must(err)
		if a := e.attr(c); a.Mode.IsDir() {
			e.walkTree(c, path+"/"+name, out)
		}
	}
}

func TestScan(t *testing.T) {
	e := mount(t, false)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("/top/%02d", i))
		for j := range 10 {
			d := fmt.Sprintf("/top/%02d/%d", i, j)
			want = append(want, d, d+"/file")
			e.write(d[1:]+"/file", "x")
		}
	}
	e.must(os.Symlink("target", e.host("top/link")))
	want = append(want, "/top/link")
	slices.Sort(want)
	top := e.lookup("top")
	for _, most := range []int64{12, 0} {
		e.trips()
		var got []string
		e.walkTree(top, "/top", &got)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d names, want %d", len(got), len(want))
		}
		if n := e.trips(); n > most {
			t.Errorf("%d round trips for 221 directories", n)
		}
	}

	t.Run("what is made and removed shows", func(t *testing.T) {
		d := e.lookup("top/03/4").(*Dir)
		_, err := d.Create("new", &vfs.NewInode{Mode: linux.S_IFREG | 0o600})
		e.must(err)
		f, err := d.Lookup("file")
		e.must(err)
		e.must(d.Unlink("file", f, false))
		if got := e.names(d); !slices.Equal(got, []string{"new"}) {
			t.Errorf("%v", got)
		}
		// Forgotten and looked up again.
		d.Evict()
		if got := e.names(e.lookup("top/03/4")); !slices.Equal(got, []string{"new"}) {
			t.Errorf("later %v", got)
		}
	})
	t.Run("a scan that a change has overtaken is not kept", func(t *testing.T) {
		before := e.fs.(*FS).changes.Load()
		d := e.lookup("top/05").(*Dir)
		n, err := d.inode().acquire()
		e.must(err)
		found, err := n.node.Scan(nil, []string{"6"}, 4096)
		n.release()
		e.must(err)
		six := e.lookup("top/05/6").(*Dir)
		six.inode().names = nil
		_, err = six.Create("new", &vfs.NewInode{Mode: linux.S_IFREG | 0o600})
		e.must(err)
		d.inode().scanned(found, before)
		if got := e.names(six); len(got) != 2 {
			t.Errorf("%v", got)
		}
	})
}

func TestListingsAreBounded(t *testing.T) {
	e := mount(t, false)
	fs := e.fs.(*FS)
	var all []*listing
	for range 40 {
		all = append(all, fs.newListing(&names{all: make([]entry, maxListed/20)}))
	}
	kept := 0
	for _, l := range all {
		if l.load() != nil {
			kept++
		}
	}
	if fs.listed > maxListed || kept < 15 || kept > 20 || all[39].load() == nil {
		t.Errorf("%d listings of %d names are kept", kept, fs.listed)
	}
}

func TestEntryKeepsAttributes(t *testing.T) {
	e := mount(t, false)
	e.write("f", "x")
	in := inodeOf(e.lookup("f"))
	a := in.attr.get(in.key.dev)
	for _, change := range []func(){
		func() {}, func() { a.Rdev = 7 }, func() { a.Dev++ }, func() { a.Mtime.Sec = 1 << 40 }, func() { a.Ctime.Sec = -5 },
		func() { a.Attributes = 1 << 40 },
	} {
		change()
		n := newEntry("f", &a, "to", e.fs.(*FS).host)
		if got := n.unpack(e.fs.(*FS).host); got != plain(&a) || n.target() != "to" {
			t.Errorf("%+v, want %+v", got, a)
		}
	}
}

func TestOpenAhead(t *testing.T) {
	for name, sort := range map[string]func(e *env, d vfs.Inode, names []string){
		"as listed": func(*env, vfs.Inode, []string) {},
		"by name":   func(_ *env, _ vfs.Inode, names []string) { slices.Sort(names) },
		"by number": func(e *env, d vfs.Inode, names []string) {
			ino := make(map[string]uint64)
			for _, name := range names {
				in, err := d.(vfs.Directory).Lookup(name)
				e.must(err)
				ino[name] = e.attr(in).Ino
			}
			slices.SortFunc(names, func(a, b string) int { return cmp.Compare(ino[a], ino[b]) })
		},
	} {
		t.Run(name, func(t *testing.T) { openInOrder(mount(t, false), sort) })
	}
	t.Run("names made since have no place in the order", func(t *testing.T) {
		e := mount(t, false)
		e.write("d/1", "")
		e.write("d/2", "")
		d := e.lookup("d").(*Dir)
		e.names(d)
		l := d.inode().names.load()
		l.arrange(byName)
		l.add(newEntry("3", &client.Attr{}, "", 0))
		if l.rank(2) != -1 || l.follows(2) {
			t.Error("it has")
		}
	})
	t.Run("at random, one at a time", func(t *testing.T) {
		e := mount(t, false)
		before := e.fds()
		for i := range 10 {
			e.write(fmt.Sprintf("r/%d", i), "x")
		}
		r := e.lookup("r")
		names := e.names(r)
		for _, i := range []int{0, 9, 3, 1} {
			in, err := r.(vfs.Directory).Lookup(names[i])
			e.must(err)
			e.open(in, linux.O_RDONLY)
		}
		if n := e.fds() - before; n > 4+1 { // and the gofer's, which is in this process, of r
			t.Errorf("%d descriptors for 4 files", n)
		}
	})
}

// openInOrder opens 200 files.
func openInOrder(e *env, sort func(e *env, d vfs.Inode, names []string)) {
	for i := range 200 {
		e.write(fmt.Sprintf("d/%03d", i*7%200), fmt.Sprint(i*7%200))
	}
	d := e.lookup("d")
	order := e.names(d)
	sort(e, d, order)
	e.trips()
	for _, name := range order {
		in, err := d.(vfs.Directory).Lookup(name)
		e.must(err)
		f, err := in.Open(nil, vfs.Path{}, linux.O_RDONLY)
		e.must(err)
		var n int
		_, err = fmt.Sscan(e.read(f, 0, 10), &n)
		e.must(err)
		if fmt.Sprintf("%03d", n) != name {
			e.Errorf("%s has %d", name, n)
		}
		f.Release()
	}
	if n := e.trips(); n > 30 {
		e.Errorf("%d round trips to open 200 files", n)
	}
}

// fds counts the descriptors of this process.
func (e *env) fds() int {
	e.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	e.must(err)
	return len(fds)
}
