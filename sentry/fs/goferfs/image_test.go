package goferfs

import (
	"bytes"
	"testing"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

func TestImageCoversState(t *testing.T) {
	const lockField, cached, host, opened = "a lock", "asked for again", "the host tells it again", "opened again"
	for _, err := range []error{
		checkpoint.CheckCovered[FS, Image](map[string]string{
			"client": "Gofer", "hosts": "Gofer", "self": "of Shared", "mu": lockField, "inodes": "put there by the inodes", "idle": opened,
			"noded": host, "bounds": "of this process", "looked": cached, "opened": cached, "inlines": cached, "changes": cached, "reads": cached, "wanted": cached, "habit": cached, "listings": cached, "listed": cached,
			"trees": cached, "ahead": cached, "brought": cached,
		}),
		checkpoint.CheckCovered[Inode, InodeImage](map[string]string{
			"key": host, "above": "put there by what is above", "link": host, "born": host, "looked": cached, "size": host, "stale": host, "told": host, "attr": host, "changed": host, "node": host, "queued": host,
			"adrift": "what has lost its name is not found again, and the restore says so",
			"ro":     opened, "rw": opened, "inline": cached, "listed": opened, "opens": opened, "maps": "added again by who maps", "tail": lockField,
			"mu": lockField, "noXattr": cached, "names": cached, "ahead": cached, "misses": cached, "big": cached,
		}),
		checkpoint.CheckCovered[dirFile, struct{ D, Path int }](map[string]string{"l": cached}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestCheckpointWalksAgain(t *testing.T) {
	e := mount(t, false)
	e.write("a/b/file", "contents")
	a, err := e.root.Lookup("a")
	e.must(err)
	b, err := a.(*Dir).Lookup("b")
	e.must(err)
	f, err := b.(*Dir).Lookup("file")
	e.must(err)
	in := inodeOf(f)
	var image bytes.Buffer
	e.must(checkpoint.SavePlain(&image, Kinds(), in))
	saved := bytes.Clone(image.Bytes())
	slots := map[string]any{SlotGofer: &Outside{in.fs.client, e.hosts}}
	root, err := checkpoint.Load(bytes.NewReader(saved), Kinds(), slots)
	e.must(err)
	got := root.(*Inode)
	if x, err := got.Attr(); err != nil || x.Size != 8 || got.ino != in.ino {
		t.Errorf("restored %+v, %v", x, err)
	}
	image.Reset()
	e.must(checkpoint.SavePlain(&image, Kinds(), got))
	if !bytes.Equal(image.Bytes(), saved) {
		t.Error("the second image differs")
	}
	e.must(b.(*Dir).Unlink("file", f, false))
	if _, err := checkpoint.Load(bytes.NewReader(saved), Kinds(), slots); err == nil {
		t.Error("a file that is not there any more was restored")
	}
	x, _ := in.open(linux.O_RDONLY)
	_ = x
	if err := checkpoint.SavePlain(&image, Kinds(), in); err == nil {
		t.Error("a file without a name was saved")
	}
}
