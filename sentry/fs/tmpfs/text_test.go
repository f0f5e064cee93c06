package tmpfs_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs/vfstest"
)

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
	mapper := &vfstest.Spaces{}
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
		x := &vfstest.SharedText{}
		f.TextPlace().Store(x)
		mapper.Taken = 0
		change()
		if !x.IsStale || f.TextPlace().Load() != nil || mapper.Taken == 0 {
			t.Errorf("%s: stale %v, taken back %d", name, x.IsStale, mapper.Taken)
		}
	}
	x := &vfstest.SharedText{}
	f.TextPlace().Store(x)
	must(m.AddMapping(mapper, 0x5000, memmap.Range{End: 4096}, true))
	if _, ok := f.TextVersion(); ok || !x.IsStale {
		t.Error("what can be stored to is shared")
	}
	m.RemoveMapping(mapper, 0x5000, memmap.Range{End: 4096}, true)
	if _, ok := f.TextVersion(); !ok {
		t.Error("no version after that")
	}
	m.RemoveMapping(mapper, 0x1000, memmap.Range{End: 4096}, false)
}
