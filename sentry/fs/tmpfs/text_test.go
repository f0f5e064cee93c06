package tmpfs_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs/vfstest"
)

// marker is a shared text that notes when it is stale.
type marker struct{ stale bool }

func (m *marker) Stale()                      { m.stale = true }
func (m *marker) Version() memmap.TextVersion { return memmap.TextVersion{} }

// spaces counts what is taken back.
type spaces struct{ taken int }

func (s *spaces) Invalidate(memmap.Mappable, uint64, uint64, bool) { s.taken++ }

func TestTextVersion(t *testing.T) {
	w := vfstest.NewWorld(t, newFS)
	c := w.Root
	d := w.Open(c, "/prog", linux.O_RDWR|linux.O_CREAT, 0o700)
	defer d.DecRef()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func() {
		s := usermem.OfBytes(make([]byte, 9000))
		_, err := d.PWrite(c, &s, 0)
		must(err)
	}
	put()
	m, err := d.Mappable(linux.PROT_READ, false)
	must(err)
	f := m.(memmap.TextSource).Text()
	mapper := &spaces{}
	must(m.AddMapping(mapper, 0x1000, memmap.Range{End: 4096}, false))
	for name, change := range map[string]func(){
		"a write":    put,
		"truncation": func() { must(d.Truncate(c, 5000)) },
		"growth":     func() { must(d.Truncate(c, 50000)) },
		"a hole":     func() { must(d.Allocate(c, linux.FALLOC_FL_PUNCH_HOLE|linux.FALLOC_FL_KEEP_SIZE, 10, 10)) },
	} {
		if _, ok := f.TextVersion(); !ok {
			t.Fatal("no version")
		}
		x := &marker{}
		f.TextPlace().Store(x)
		mapper.taken = 0
		change()
		if !x.stale || f.TextPlace().Load() != nil || mapper.taken == 0 {
			t.Errorf("%s: stale %v, taken back %d", name, x.stale, mapper.taken)
		}
	}
	x := &marker{}
	f.TextPlace().Store(x)
	must(m.AddMapping(mapper, 0x5000, memmap.Range{End: 4096}, true))
	if _, ok := f.TextVersion(); ok || !x.stale {
		t.Error("what can be stored to is shared")
	}
	m.RemoveMapping(mapper, 0x5000, memmap.Range{End: 4096}, true)
	if _, ok := f.TextVersion(); !ok {
		t.Error("no version after that")
	}
	m.RemoveMapping(mapper, 0x1000, memmap.Range{End: 4096}, false)
}
