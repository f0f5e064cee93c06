package overlay

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// Text and the others make a memInode a memmap.TextFile.
func (i *memInode) Text() memmap.TextFile                        { return i }
func (i *memInode) TextPlace() *memmap.TextPlace                 { return &i.place }
func (i *memInode) TextVersion() (v memmap.TextVersion, ok bool) { return v, true }

// TestText asks whose text it is before and after a copy to the upper layer.
func TestText(t *testing.T) {
	e := newEnv(t)
	e.lower.root.file("prog", "text")
	in := e.get("prog")
	text := func() memmap.TextFile { return in.(vfs.Mapped).Mappable().(memmap.TextSource).Text() }
	below := text()
	if _, ok := below.(*memInode); !ok {
		t.Fatalf("text of %T", below)
	}
	e.open(in, linux.O_WRONLY)
	if above := text(); above == below {
		t.Error("after a copy the text is still the lower layer's")
	}
}
