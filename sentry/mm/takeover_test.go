package mm

import (
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
)

// reusableSpace is a fakeSpace that says whether it can be another's.
type reusableSpace struct {
	*fakeSpace
	yes   bool
	onMap func()
}

func (s *reusableSpace) Reusable() bool { return s.yes }

func (s *reusableSpace) Apply(c platform.Context, ops []platform.Op) linux.Errno {
	if s.onMap != nil {
		s.onMap()
	}
	return s.fakeSpace.Apply(c, ops)
}

// stored returns a space with a page that was stored to, and where that is.
func stored(t *testing.T, cfg Config) (m *MemoryManager, at uint64, page memfile.Range) {
	t.Helper()
	m = New(cfg)
	at = mustMap(t, m, anonymous(pageSize, linux.PROT_READ|linux.PROT_WRITE))
	if _, err := m.CopyOut(at, []byte{1}); err != nil {
		t.Fatal(err)
	}
	_, p := m.pmas.Ref(at)
	return m, at, memfile.Range{Start: p.off, End: p.off + pageSize}
}

func TestTakeOver(t *testing.T) {
	cfg := Config{Platform: &fakePlatform{}, Memory: newMemory(t), Limits: noLimits()}
	begin := func(yes bool) (old, m *MemoryManager, s *reusableSpace, page memfile.Range, at uint64) {
		old, at, page = stored(t, cfg)
		s = &reusableSpace{fakeSpace: activate(t, old), yes: yes}
		var as platform.AddressSpace = s
		old.as.Store(&as)
		m, _, _ = stored(t, cfg)
		return old, m, s, page, at
	}
	t.Run("one batch, old memory kept until it is done", func(t *testing.T) {
		old, m, s, page, at := begin(true)
		applies := 0
		s.onMap = func() {
			applies++
		}
		if !m.TakeOver(nil, old) {
			t.Fatal("refused")
		}
		if applies != 1 {
			t.Errorf("%d batches", applies)
		}
		_, p := m.pmas.Ref(at)
		for a, f := range s.pages {
			if f.off == page.Start {
				t.Errorf("%#x still shows the old program's memory", a)
			}
		}
		if p != nil && s.pages[at].off != p.off {
			t.Error("the new program's memory is not mapped")
		}
		old.DecUsers()
		if s.gone {
			t.Error("the end of the old space ended the stub")
		}
		if r := cfg.Memory.Sole(page.Start, page); r.Len() != 0 {
			t.Error("the old memory is kept")
		}
		m.DecUsers()
		if !s.gone {
			t.Error("the stub is left")
		}
	})
	t.Run("a failed unmap keeps the memory", func(t *testing.T) {
		old, m, s, page, _ := begin(true)
		p := cfg.Platform.(*fakePlatform)
		s.onMap = func() { p.failAt = p.ops + 1 } // each time
		m.TakeOver(nil, old)
		old.DecUsers()
		if r := cfg.Memory.Sole(page.Start, page); r.Len() == 0 {
			t.Error("the stub still maps memory that is free")
		}
		p.failAt = 0
		m.DecUsers()
		if r := cfg.Memory.Sole(page.Start, page); r.Len() != 0 {
			t.Error("the memory is kept for ever")
		}
	})
	t.Run("refused", func(t *testing.T) {
		old, m, s, _, _ := begin(false)
		if m.TakeOver(nil, old) || s.gone {
			t.Error("a stub in which others may run is taken over")
		}
		s.yes = true
		old.IncUsers()
		if m.TakeOver(nil, old) {
			t.Error("a space with two users is taken over")
		}
		old.DecUsers()
		old.DecUsers()
		m.DecUsers()
	})
}
