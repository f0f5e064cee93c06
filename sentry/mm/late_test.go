package mm

import (
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
)

// lateSpace is a fakeSpace whose end takes until the test says so.
type lateSpace struct {
	*fakeSpace
	done func()
}

func (s *lateSpace) ReleaseLate(done func()) { s.done = done }

// Memory of a space that has ended is nobody else's until its stub is dead; files
// are given up at once.
func TestMemoryWaitsForALateStub(t *testing.T) {
	m := newSpace(t)
	at, err := m.MMap(nil, MMapOpts{Len: 4 * pageSize, Prot: linux.PROT_READ | linux.PROT_WRITE, Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS})
	if err != nil {
		t.Fatal(err)
	}
	store(t, m, at, 1)
	late := &lateSpace{fakeSpace: activate(t, m)}
	var as platform.AddressSpace = late
	m.as.Store(&as)
	memory := m.cfg.Memory
	_, p := m.pmas.Ref(at)
	page := memfile.Range{Start: p.off, End: p.off + pageSize}
	m.DecUsers()
	if late.done == nil || late.gone {
		t.Fatal("the stub is waited for")
	}
	if r := memory.Sole(page.Start, page); r.Len() != pageSize {
		t.Error("the memory is free before the stub is dead")
	}
	late.done()
	if r := memory.Sole(page.Start, page); r.Len() != 0 {
		t.Error("the memory is kept")
	}
}
