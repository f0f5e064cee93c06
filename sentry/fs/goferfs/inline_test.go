package goferfs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/gofer/hostfs"
	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// inOrder opens files of a directory in the order of their names until one is
// opened without a descriptor, and returns it.
func inOrder(e *env, names []string) (*Inode, vfs.File) {
	e.Helper()
	d := e.lookup("d")
	slices.Sort(names)
	for _, name := range names {
		c, err := d.(vfs.Directory).Lookup(name)
		e.must(err)
		f := e.open(c, linux.O_RDONLY)
		if _, ok := f.(*inlineFile); ok {
			return c.(*Inode), f
		}
	}
	e.Fatal("no file came as its contents")
	return nil, nil
}

// smallFiles is a mount that cannot be written with n files in d.
func smallFiles(t *testing.T, n int) (*env, []string) {
	e := mountAs(t, false, hostfs.Mount{ReadOnly: true})
	for i := range n {
		e.write(fmt.Sprintf("d/%03d", i), fmt.Sprintf("file %03d", i))
	}
	return e, e.names(e.lookup("d"))
}

func TestInline(t *testing.T) {
	expire := func(in *Inode) {
		c := *in.inline.Load()
		c.until = time.Time{}
		in.inline.Store(&c)
	}
	t.Run("in order", func(t *testing.T) {
		openInOrder(mountAs(t, false, hostfs.Mount{ReadOnly: true}), func(*env, vfs.Inode, []string) {})
	})
	t.Run("takes no descriptor", func(t *testing.T) {
		e, names := smallFiles(t, 30)
		in, f := inOrder(e, names)
		if got := e.read(f, 5, 100); got != in.name {
			t.Errorf("%q", got)
		}
		if got := e.read(f, 8, 100) + e.read(f, 100, 1); got != "" {
			t.Errorf("%q behind the end", got)
		}
		if in.ro.Load() != nil {
			t.Error("there is one")
		}
	})
	t.Run("gets one to be mapped", func(t *testing.T) {
		e, names := smallFiles(t, 30)
		in, f := inOrder(e, names)
		page := memmap.Range{End: pageSize}
		if _, err := in.Translate(page, page, false); err == nil {
			t.Error("it could be mapped before")
		}
		e.must(f.(vfs.MapPreparer).PrepareMap())
		_, err := in.Translate(page, page, false)
		e.must(err)
		f.Release()
	})
	t.Run("is read again later", func(t *testing.T) {
		e, names := smallFiles(t, 30)
		in, f := inOrder(e, names)
		expire(in)
		e.write("d/"+in.name, "other")
		if got := e.read(f, 0, 100); got != "other" {
			t.Errorf("%q", got)
		}
	})
	t.Run("stays when it is gone from the host", func(t *testing.T) {
		e, names := smallFiles(t, 30)
		in, f := inOrder(e, names)
		expire(in)
		e.must(os.Remove(e.host("d/" + in.name)))
		in.giveUp(in.inline.Load().of)
		if got := e.read(f, 0, 100); got != "file "+in.name {
			t.Errorf("%q", got)
		}
	})
	t.Run("no more is kept than a few answers", func(t *testing.T) {
		e := mountAs(t, false, hostfs.Mount{ReadOnly: true})
		text := func(i int) string { return fmt.Sprint(i, strings.Repeat("x", 14<<10)) }
		for i := range 100 {
			e.write(fmt.Sprintf("d/%03d", i), text(i))
		}
		d := e.lookup("d")
		names := e.names(d)
		slices.Sort(names)
		var files []vfs.File
		var inodes []*Inode
		for _, name := range names {
			c, err := d.(vfs.Directory).Lookup(name)
			e.must(err)
			inodes, files = append(inodes, c.(*Inode)), append(files, e.open(c, linux.O_RDONLY))
		}
		kept, inline := 0, 0
		for i, in := range inodes {
			if in.inline.Load() != nil {
				kept++
			}
			if _, ok := files[i].(*inlineFile); ok {
				inline++
			}
			if got := e.read(files[i], 0, 30<<10); got != text(i) {
				t.Errorf("%s is something else", in.name)
			}
			files[i].Release()
		}
		if most := maxBrought * (128 << 10) / (14 << 10); kept > most || inline < 50 {
			t.Errorf("the contents of %d files are kept, of %d that came", kept, inline)
		}
	})
}
