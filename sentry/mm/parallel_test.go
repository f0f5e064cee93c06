package mm

import (
	"math/rand/v2"
	"sync"
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
)

// lockedPlatform makes the recording platform safe for several callers.
type lockedPlatform struct {
	fakePlatform
	mu sync.Mutex
}

func (p *lockedPlatform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	return &lockedSpace{p: p}, 0
}

type lockedSpace struct{ p *lockedPlatform }

func (s *lockedSpace) Apply(platform.Context, []platform.Op) linux.Errno {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.ops++
	if s.p.ops%500 == 0 {
		return linux.ENOMEM
	}
	return 0
}

func (s *lockedSpace) Release() {}

// TestParallel runs calls of many threads on one space and its forks. What is
// checked is that nothing is lost or released twice (memfile's own checks), no
// lock is taken twice, and that a thread's own memory stays its own.
func TestParallel(t *testing.T) {
	f := newMemory(t)
	m := New(Config{Platform: &lockedPlatform{}, Memory: f, Limits: noLimits()})
	if _, err := m.Activate(); err != nil {
		t.Fatal(err)
	}
	shared := mustMap(t, m, anonymous(64*pageSize, rw))
	var wg sync.WaitGroup
	for w := range uint64(6) {
		wg.Go(func() { hammer(t, m, shared, w) })
	}
	wg.Wait()
	m.DecUsers()
	for k := memfile.Anonymous; k <= memfile.Kernel; k++ {
		if u := f.Usage(k); u != 0 {
			t.Errorf("%d bytes of kind %d left", u, k)
		}
	}
}

func hammer(t *testing.T, m *MemoryManager, shared, w uint64) {
	rnd := rand.New(rand.NewPCG(w, 3))
	own, err := m.MMap(nil, anonymous(16*pageSize, rw))
	if err != nil {
		t.Error(err)
		return
	}
	mark := []byte{byte(w + 1)}
	for range 1500 {
		page := rnd.Uint64N(16) * pageSize
		at := shared + rnd.Uint64N(64)*pageSize
		var b [1]byte
		switch rnd.IntN(10) {
		case 0:
			child, err := m.Fork(nil, m.cfg.Limits)
			if err != nil {
				t.Error(err)
				return
			}
			child.CopyOut(own+page, []byte{99})
			child.DecUsers()
		case 1:
			m.MProtect(nil, at, pageSize, linux.PROT_READ)
			m.MProtect(nil, at, pageSize, rw)
		case 2:
			m.MAdvise(nil, at, pageSize, linux.MADV_DONTNEED)
		case 3:
			n := pageSize * (1 + rnd.Uint64N(8))
			if x, err := m.MMap(nil, anonymous(n, rw)); err == nil {
				m.CopyOut(x, mark)
				m.MUnmap(nil, x, n)
			}
		case 4:
			m.HandleFault(nil, at, platform.Access(rnd.IntN(4)), linux.SIGSEGV)
		case 5:
			m.Blocks(at, 8*pageSize, 2, func(blocks [][]byte) (n uint64, err error) {
				for _, b := range blocks {
					b[0] = mark[0]
					n += uint64(len(b))
				}
				return n, nil
			})
		case 6:
			m.SnapshotPages()
		default:
			if _, err := m.CopyOut(own+page, mark); err != nil {
				t.Error(err)
			}
			if _, err := m.CopyIn(own+page, b[:]); err != nil || b[0] != mark[0] {
				t.Errorf("own memory reads %d %v, want %d", b[0], err, mark[0])
			}
		}
	}
}
