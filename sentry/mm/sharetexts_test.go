package mm

import (
	"bytes"
	"testing"

	"cordon/checkpoint"
	"cordon/internal/seg"
	"cordon/platform"
)

// TestSharedTextInPieces has a text that is too large to be copied.
func TestSharedTextInPieces(t *testing.T) {
	const pages = wholeText/pageSize + 200
	w := newSharedWorld(t, pages)
	m, at := w.exec()
	far := at + 400*pageSize
	w.share(m, at+pageSize, newText, trampoline)
	w.share(m, far, newText, trampoline)
	if n := w.texts.Bytes(); n > 2*textChunk+sharedArena {
		t.Errorf("%d bytes are copied", n)
	}
	m.ShareText(nil, far)
	for _, m := range []*MemoryManager{m, fork(t, m)} {
		for _, a := range []uint64{at, far - pageSize} {
			if v := seen(t, m, a+pageSize); v != 0x0909 {
				t.Errorf("the text is %#x", v)
			}
		}
		for i := uint64(0); i < pages-firstText; i += 5 {
			if v := seen(t, m, at+i*pageSize); v != 0xf000+firstText+i && at+i*pageSize != far {
				t.Errorf("page %d is %#x", i, v)
			}
		}
		m.DecUsers()
	}
	// There is an end to it.
	m, at = w.exec()
	s, bias := m.SharedText(at)
	n := 0
	for i := uint64(0); i < pages; i += 16 {
		if s.Prepare(at-bias+i*pageSize, at-bias+i*pageSize+2) == 0 {
			n++
		}
	}
	if n*textChunk > textMax {
		t.Errorf("%d pieces", n)
	}
	if err := s.Prepare(at-bias+textChunk-2*pageSize-1, at-bias+textChunk-2*pageSize+1); err == 0 {
		t.Error("a patch may be in two pieces")
	}
	m.DecUsers()
}

// TestSharedTextsEnd fills what texts may take.
func TestSharedTextsEnd(t *testing.T) {
	w := newSharedWorld(t, wholeText/pageSize)
	first := w.file
	defer func() { w.file = first }()
	var spaces []*MemoryManager
	files := []*progFile{first}
	full := false
	for range 2 * maxTexts / wholeText {
		m, at := w.exec()
		s, bias := m.SharedText(at)
		full = s.Prepare(at-bias, at-bias+1) != 0
		if full {
			m.DecUsers()
			break
		}
		w.share(m, at, newText, trampoline)
		if m.ShareText(nil, at) != platform.SharedNow {
			t.Fatal("not shared")
		}
		spaces = append(spaces, m)
		w.file = &progFile{fakeFile: newFakeFile(t, wholeText)}
		files = append(files, w.file)
	}
	if !full || w.texts.Bytes() > maxTexts {
		t.Errorf("%d spaces with %d bytes", len(spaces), w.texts.Bytes())
	}
	for _, m := range spaces {
		m.DecUsers()
	}
	if n := w.texts.Bytes(); n > idleTexts || n == 0 {
		t.Errorf("%d bytes are kept for nobody", n)
	}
	if w.texts.Shrink(); w.texts.Bytes() != 0 {
		t.Errorf("%d bytes are not given up", w.texts.Bytes())
	}
	for _, f := range files {
		if len(f.refs)+len(f.mappings) != 0 {
			t.Error("a file is still mapped")
		}
	}
}

// TestSharedTextCosts holds what a program asks for that is like those before it.
func TestSharedTextCosts(t *testing.T) {
	w := newSharedWorld(t, 40)
	exec := func(m *MemoryManager) cost {
		return count(m, func(c *counter) {
			at := w.mapText(m)
			c.touch(t, m, at, platform.Execute)
			c.touch(t, m, at+20*pageSize, platform.Execute)
		})
	}
	m := w.space()
	plain := exec(m)

	g, _ := m.vmas.Last()
	w.share(m, g.Start, newText, trampoline)
	now := count(m, func(*counter) { m.ShareText(nil, g.Start) })
	if now.applies != 1 || now.ops != 2 {
		t.Errorf("sharing: %+v", now)
	}
	m2 := w.space()
	if shared := exec(m2); shared.applies != plain.applies || shared.ops != plain.ops+1 || shared.faults != 0 {
		t.Errorf("with shared text: %+v, without: %+v", shared, plain)
	}
	m.DecUsers()
	m2.DecUsers()
}

func TestSharedTextImage(t *testing.T) {
	w := newSharedWorld(t, 40)
	m, at := w.exec()
	site := at + pageSize
	w.share(m, site, newText, []byte("trampoline"))
	m.ShareText(nil, site)
	store(t, m, mustMap(t, m, anonymous(pageSize, rw)), 7)
	im := w.mem.Image()
	var pages bytes.Buffer
	if err := w.mem.WritePages(&pages, &im); err != nil {
		t.Fatal(err)
	}
	if pages.Len() > 8*pageSize || bytes.Contains(pages.Bytes(), []byte("trampoline")) {
		t.Errorf("the image has shared text: %d bytes", pages.Len())
	}
	var image bytes.Buffer
	kinds := append(testKinds(t, w.file.fakeFile), checkpoint.Object("test.prog",
		func(*checkpoint.Saver, *progFile) emptyImage { return emptyImage{} },
		func(_ *checkpoint.Loader, f *progFile, _ emptyImage) error {
			*f = progFile{fakeFile: newFakeFile(t, 40*pageSize)}
			return nil
		}))
	open := &openedFile{opened{w.file.fakeFile}}
	m.vmas.Update(seg.Range{End: ^uint64(0)}, func(_ seg.Range, v *vma) {
		if v.file != nil {
			v.file = open
		}
	})
	if err := checkpoint.Save(&image, kinds, &couple{a: m, b: m}); err != nil {
		t.Fatal(err)
	}
	f := newMemory(t)
	if err := f.Restore(&im); err != 0 {
		t.Fatal(err)
	}
	root, err := checkpoint.Load(&image, kinds, map[string]any{SlotPlatform: &fakePlatform{patches: true}, SlotMemory: f})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ReadPages(&pages, &im); err != nil {
		t.Fatal(err)
	}
	f.Restored(&im)
	a := root.(*couple).a
	if v := seen(t, a, site); v != 0xf003 {
		t.Errorf("restored text is %#x", v)
	}
	if len(a.Arenas()) != 0 {
		t.Error("a restored program has trampolines")
	}
	a.DecUsers()
	m.DecUsers()
}
