package mm

import (
	"bytes"
	"testing"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
)

// A couple is a root that refers to two spaces, their limits and a file.
type couple struct {
	a, b *MemoryManager
	file *fakeFile
}

type coupleImage struct{ A, B checkpoint.Ref }
type emptyImage struct{ X bool }

func testKinds(t *testing.T, file *fakeFile) []checkpoint.Kind {
	return append(Kinds(),
		checkpoint.Object("test.couple",
			func(s *checkpoint.Saver, c *couple) coupleImage { return coupleImage{s.Ref(c.a), s.Ref(c.b)} },
			func(l *checkpoint.Loader, c *couple, im coupleImage) (err error) {
				if c.a, err = checkpoint.Get[*MemoryManager](l, im.A); err == nil {
					c.b, err = checkpoint.Get[*MemoryManager](l, im.B)
				}
				return err
			}),
		checkpoint.Object("test.limits",
			func(*checkpoint.Saver, *limit.Set) emptyImage { return emptyImage{} },
			func(_ *checkpoint.Loader, s *limit.Set, _ emptyImage) error {
				_, err := s.Swap(linux.RLIMIT_AS, linux.Rlimit{Cur: limit.Infinity}, func(linux.Rlimit) error { return nil })
				return err
			}),
		checkpoint.Object("test.file",
			func(*checkpoint.Saver, *fakeFile) emptyImage { return emptyImage{} },
			func(_ *checkpoint.Loader, f *fakeFile, _ emptyImage) error {
				*f = *newFakeFile(t, 10*pageSize)
				return nil
			}),
		checkpoint.Object("test.opened",
			func(*checkpoint.Saver, *openedFile) emptyImage { return emptyImage{} },
			func(_ *checkpoint.Loader, f *openedFile, _ emptyImage) error {
				f.opened = opened{newFakeFile(t, 10*pageSize)}
				return nil
			}),
	)
}

type openedFile struct{ opened }

func TestCheckpoint(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 10*pageSize)
	open := &openedFile{opened{file}}
	private := mustMap(t, m, anonymous(8*pageSize, rw))
	shared := mustMap(t, m, MMapOpts{Len: 4 * pageSize, Prot: rw, Flags: linux.MAP_SHARED | linux.MAP_ANONYMOUS})
	mapped := mustMap(t, m, MMapOpts{Len: 10 * pageSize, Prot: rw, Flags: linux.MAP_PRIVATE, Mappable: file, File: open})
	m.SetBrk(0x555500000000)
	m.Brk(nil, m.Layout().Brk+5*pageSize)
	store(t, m, private, 10)
	store(t, m, private+pageSize, 11)
	store(t, m, shared, 12)
	store(t, m, mapped+3*pageSize, 13)
	child := fork(t, m)
	store(t, child, private, 20)

	var image, pages bytes.Buffer
	if err := checkpoint.Save(&image, testKinds(t, file), &couple{a: m, b: child}); err != nil {
		t.Fatal(err)
	}
	mem := m.cfg.Memory.Image()
	if err := m.cfg.Memory.WritePages(&pages, &mem); err != nil {
		t.Fatal(err)
	}

	f := newMemory(t)
	if err := f.Restore(&mem); err != 0 {
		t.Fatal(err)
	}
	root, err := checkpoint.Load(&image, testKinds(t, file), map[string]any{SlotPlatform: &fakePlatform{}, SlotMemory: f})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ReadPages(&pages, &mem); err != nil {
		t.Fatal(err)
	}
	f.Restored(&mem)
	a, b := root.(*couple).a, root.(*couple).b
	if got, want := string(a.AppendMaps(nil)), string(m.AppendMaps(nil)); got != want {
		t.Errorf("maps differ:\n%s\n%s", got, want)
	}
	checkRestored(t, a, b, private, shared, mapped)
	a.DecUsers()
	b.DecUsers()
	for k := memfile.Anonymous; k <= memfile.Kernel; k++ {
		if u := f.Usage(k); u != 0 {
			t.Errorf("%d bytes of kind %d left", u, k)
		}
	}
}

func checkRestored(t *testing.T, a, b *MemoryManager, private, shared, mapped uint64) {
	for _, c := range []struct {
		m    *MemoryManager
		addr uint64
		want uint64
	}{
		{a, private, 10}, {b, private, 20}, {a, private + pageSize, 11}, {b, private + pageSize, 11}, {a, shared, 12}, {b, shared, 12},
		{a, mapped + 3*pageSize, 13}, {a, mapped + 9*pageSize, 0xf009}, {b, b.Layout().StartBrk, 0},
	} {
		if v, e := load(t, c.m, c.addr); v != c.want || e != (fault{}) {
			t.Errorf("%#x: %d %v, want %d", c.addr, v, e, c.want)
		}
	}
	store(t, a, private+pageSize, 30)
	store(t, b, shared, 31)
	if v, _ := load(t, b, private+pageSize); v != 11 {
		t.Errorf("private memory is shared after restore: %d", v)
	}
	if v, _ := load(t, a, shared); v != 31 {
		t.Errorf("shared memory is not shared after restore: %d", v)
	}
}

func TestImageCoversState(t *testing.T) {
	const rebuilt, setup = "rebuilt by use", "follows from the configuration"
	if err := checkpoint.CheckCovered[MemoryManager, Image](map[string]string{
		"cfg": "Limits, Fixed, Total and the slots", "hugeOK": setup, "patcher": "the platform makes a new one", "parentHabits": "learned again", "habits": "learned again",
		"mapping": "a lock", "sizes": "counted from the VMAs", "active": "a lock", "ops": rebuilt, "held": "a new stub has nothing",
		"generation": rebuilt, "spurious": rebuilt, "deferred": "no I/O is under way", "brkSpare": rebuilt, "stackSpare": rebuilt, "vacant": rebuilt,
		"lost": rebuilt, "pins": "no I/O is under way", "dying": "the process is ending", "as": rebuilt, "sleepers": "they sleep again", "lent": "lent anew", "patches": "the pages are saved as they were", "arenas": "the platform makes new ones",
	}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[vma, VMAImage](nil); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[pma, PMAImage](map[string]string{
		"back": "the memory file", "prot": "the VMA's", "private": "only private ones are saved", "writable": "of translations only", "stub": "a new stub has nothing", "hidden": "arenas are not saved",
	}); err != nil {
		t.Error(err)
	}
	if err := checkpoint.CheckCovered[SharedMemory, SharedImage](map[string]string{"refs": "counted again"}); err != nil {
		t.Error(err)
	}
}
