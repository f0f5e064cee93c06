package goferfs

import (
	"os"
	"testing"
	"time"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

func TestTextVersion(t *testing.T) {
	e := mount(t, false)
	e.write("prog", "text")
	in := e.lookup("prog")
	long := time.Now().Add(-time.Hour)
	version := func() (memmap.TextVersion, bool) {
		return in.(memmap.TextSource).Text().TextVersion()
	}
	if _, ok := version(); ok {
		t.Error("a file that nobody has open has a version")
	}
	f := e.open(in, linux.O_RDWR)
	if _, ok := version(); ok {
		t.Error("a file that has just been written has a version")
	}
	// As for its modification, but not for its change.
	e.must(os.Chtimes(e.host("prog"), long, long))
	if _, ok := version(); ok {
		t.Error("a file whose times were set has a version")
	}
	place := in.(memmap.TextSource).Text().TextPlace()
	mapper := &vfstest.Spaces{}
	m := in.(vfs.Mapped).Mappable()
	e.must(m.AddMapping(mapper, 0x1000, memmap.Range{End: 4096}, false))
	for name, change := range map[string]func(){
		"a write":    func() { e.put(f, 1, "x") },
		"an append":  func() { s := usermem.OfBytes([]byte("more")); _, _, err := f.(vfs.Appender).Append(&s); e.must(err) },
		"truncation": func() { e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: 2})) },
		"allocation": func() { e.must(f.(vfs.Allocator).Allocate(0, 0, 2)) },
	} {
		x := &vfstest.SharedText{}
		place.Store(x)
		mapper.Taken = 0
		change()
		if !x.IsStale || place.Load() != nil || mapper.Taken == 0 {
			t.Errorf("%s: stale %v, taken back %d", name, x.IsStale, mapper.Taken)
		}
	}
	x := &vfstest.SharedText{}
	place.Store(x)
	e.must(m.AddMapping(mapper, 0x5000, memmap.Range{End: 4096}, true))
	if !x.IsStale {
		t.Error("what can be stored to is shared")
	}
	m.RemoveMapping(mapper, 0x5000, memmap.Range{End: 4096}, true)
	m.RemoveMapping(mapper, 0x1000, memmap.Range{End: 4096}, false)
}

func TestSettled(t *testing.T) {
	now := time.Now()
	at := func(m, c time.Duration) memmap.TextVersion {
		return memmap.TextVersion{MTime: now.Add(-m).UnixNano(), CTime: now.Add(-c).UnixNano()}
	}
	for _, c := range []struct {
		m, c time.Duration
		want bool
	}{
		{time.Hour, time.Hour, true}, {time.Hour, time.Second, false}, {time.Second, time.Hour, false},
		{0, 0, false}, {-time.Hour, -time.Hour, false}, {settled + 1, settled + 1, true},
	} {
		if got := isSettled(at(c.m, c.c), now); got != c.want {
			t.Errorf("changed %v and %v ago: %v", c.m, c.c, got)
		}
	}
}
