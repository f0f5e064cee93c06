package goferfs

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/gofer/client"
	"cordon/gofer/donate"
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
		e := mount(t, false)
		for i := range 200 {
			e.write(fmt.Sprintf("top/%03d/%s", i, strings.Repeat("x", 100)), "")
		}
		top := e.lookup("top")
		names := e.names(top)
		for i, name := range names {
			in, err := top.(vfs.Directory).Lookup(name)
			e.must(err)
			// The next piece has been made by the gofer by now.
			last := e.lookup("top/" + names[len(names)-1])
			made := fmt.Sprint(i)
			_, err = last.(*Dir).Create(made, &vfs.NewInode{Mode: linux.S_IFREG | 0o600})
			e.must(err)
			if got := e.names(in); len(got) != 1 && i < len(names)-1 {
				t.Fatalf("%s has %v", name, got)
			}
			if got := e.names(last); len(got) != i+2 || !slices.Contains(got, made) {
				t.Fatalf("%d names where %s was made", len(got), made)
			}
		}
	})
}

// TestPlainScan counts what a program asks for that wants names only, and one that
// wants more.
func TestPlainScan(t *testing.T) {
	for _, c := range []struct {
		what string
		stat bool
	}{{"names only", false}, {"attributes", true}} {
		t.Run(c.what, func(t *testing.T) {
			e := mount(t, false)
			const dirs, files = 100, 30
			for i := range dirs {
				for j := range files {
					e.write(fmt.Sprintf("top/%02d/%02d", i, j), "xyz")
				}
			}
			top := e.lookup("top").(*Dir)
			e.trips()
			for _, name := range e.names(top) {
				d, err := top.Lookup(name)
				e.must(err)
				for _, name := range e.names(d) {
					if !c.stat {
						continue
					}
					f, err := d.(*Dir).Lookup(name)
					e.must(err)
					if a := e.attr(f); a.Size != 3 {
						t.Errorf("%s: %+v", name, a)
					}
				}
			}
			if n := e.trips(); n > 14 {
				t.Errorf("%d round trips", n)
			}
			told := 0
			for _, k := range e.fs.(*FS).listings {
				for i := range k.load().ents {
					if _, _, ok := k.load().attrs(i); ok && k.load().typ(i) == linux.DT_REG {
						told++
					}
				}
			}
			if c.stat != (told == dirs*files) || !c.stat && told > 0 {
				t.Errorf("the attributes of %d files are known", told)
			}
		})
	}
}

func TestListingsAreBounded(t *testing.T) {
	e := mount(t, false)
	fs := e.fs.(*FS)
	big := &names{ents: make([]ent, 1<<15)}
	fits := maxListed / big.bytes()
	var all []*listing
	for range 2 * fits {
		all = append(all, fs.keptListing(&names{ents: big.ents}))
	}
	kept := 0
	for _, l := range all {
		if l.load() != nil {
			kept++
		}
	}
	if fs.listed > maxListed || kept < fits-2 || kept > fits || all[len(all)-1].load() == nil {
		t.Errorf("%d listings of %d bytes are kept", kept, fs.listed)
	}
	e.write("d/file", "")
	d := e.lookup("d")
	e.names(d)
	fs.Shrink()
	if fs.listed != 0 || all[len(all)-1].load() != nil {
		t.Errorf("%d bytes are kept when memory is short", fs.listed)
	}
	if got := e.names(d); !slices.Equal(got, []string{"file"}) {
		t.Errorf("later %v", got)
	}
}

func TestEntryKeepsAttributes(t *testing.T) {
	e := mount(t, false)
	e.write("f", "x")
	in := inodeOf(e.lookup("f"))
	a := in.attrLocked()
	host := e.fs.(*FS).host
	for _, change := range []func(){
		func() {}, func() { a.Rdev = 7 }, func() { a.Dev++ }, func() { a.Mtime.Sec = 1 << 40 }, func() { a.Ctime.Sec = -5 },
		func() { a.Attributes = 1 << 40 }, func() { a.Mode = linux.S_IFLNK | 0o777 },
	} {
		change()
		target := ""
		if a.Mode.IsSymlink() {
			target = "to"
		}
		// As the gofer sends it with the name, told later, and made here.
		item := donate.AppendItem(nil, []byte("f"), a.Mode.DirentType(), a.Ino, &a, host, target)
		sent := &names{text: string(item), host: host}
		sent.ents = []ent{textEnt(sent.text, 0)}
		item = donate.AppendItem(nil, []byte("f"), a.Mode.DirentType(), a.Ino, nil, host, "")
		told := &names{text: string(item), host: host}
		told.ents = []ent{textEnt(told.text, 0)}
		if _, _, ok := told.attrs(0); ok {
			t.Error("attributes of a name only")
		}
		told.tell(0, &a, target)
		made := &names{host: host}
		made.add("f", &a, target)
		for i, l := range []*names{sent, told, made} {
			got, to, ok := l.attrs(0)
			if !ok || got != plain(&a) || to != target || l.find("f") != 0 || l.number(0) != a.Ino {
				t.Errorf("%d: %+v, want %+v", i, got, a)
			}
		}
	}
}

// TestListingIsAMap compares a listing with a map.
func TestListingIsAMap(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	l := &names{}
	var text []byte
	want := map[string]bool{}
	for i := range 5 {
		name := fmt.Sprint(i)
		at := len(text)
		text = donate.AppendItem(text, []byte(name), linux.DT_REG, 1, nil, 0, "")
		l.text = string(text)
		l.ents = append(l.ents, textEnt(l.text, uint32(at)))
		want[name] = true
	}
	for range 3000 {
		name := fmt.Sprint(r.IntN(300))
		if r.IntN(3) > 0 {
			l.add(name, &client.Attr{Mode: linux.S_IFREG}, "")
			want[name] = true
		} else {
			l.remove(name)
			delete(want, name)
		}
		name = fmt.Sprint(r.IntN(300))
		if i := l.find(name); (i >= 0) != want[name] || i >= 0 && l.name(i) != name {
			t.Fatalf("seed %d: %s is at %d, %v", seed, name, i, want[name])
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
		l.add("3", &client.Attr{}, "")
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
		if n := e.settledFDs(before+4+1) - before; n > 4+1 { // and the gofer's, which is in this process, of r
			t.Errorf("%d descriptors for 4 files", n)
		}
	})
}

// TestOpenAheadInTree opens every file of a tree as tar does, and looks which are
// being opened when a directory's first is.
func TestOpenAheadInTree(t *testing.T) {
	e := mount(t, false)
	const dirs, files = 12, 5
	for i := range dirs {
		for j := range files {
			e.write(fmt.Sprintf("top/%02d/sub/%02d-%d", i, i, j), "x")
		}
	}
	fs := e.fs.(*FS)
	before := e.fds()
	top := e.lookup("top")
	foreseen := 0
	var walk func(in vfs.Inode)
	walk = func(in vfs.Inode) {
		for _, name := range e.names(in) {
			c, err := in.(vfs.Directory).Lookup(name)
			e.must(err)
			if e.attr(c).Mode.IsDir() {
				walk(c)
				continue
			}
			for _, o := range fs.ahead {
				for _, g := range o.groups {
					if g.batch[0] == name {
						foreseen++
					}
				}
			}
			f, err := c.Open(nil, vfs.Path{}, linux.O_RDONLY)
			e.must(err)
			if got := e.read(f, 0, 10); got != "x" {
				t.Errorf("%s has %q", name, got)
			}
			f.Release()
		}
	}
	e.trips()
	walk(top)
	if foreseen < dirs-3 {
		t.Errorf("the first file of %d of %d directories was being opened", foreseen, dirs)
	}
	if n := e.trips(); n > dirs*files/2 {
		t.Errorf("%d round trips for the files of %d directories", n, dirs)
	}
	fs.Release()
	e.trips()
	if n := e.settledFDs(before+4) - before; n > 4 {
		t.Errorf("%d descriptors are left", n)
	}
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

// settledFDs is fds when there are no more than want, or after a while: the gofer,
// which is in this process, closes what it has donated after it has answered.
func (e *env) settledFDs(want int) int {
	e.Helper()
	for range 1000 {
		if e.fds() <= want {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return e.fds()
}

// fds counts the descriptors of this process.
func (e *env) fds() int {
	e.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	e.must(err)
	return len(fds)
}
