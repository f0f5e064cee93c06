package stub

import (
	"runtime"
	"testing"
)

// bound returns the CPUs that the calling thread may use.
func bound() (set [16]uint64) {
	AffinitySet(0, &set)
	return set
}

// TestHandOver: the owner of one member of a group becomes that of another, and stays where
// it is; a thread that owned none comes to it; what has no group is not handed over.
func TestHandOver(t *testing.T) {
	p, hs := crew(t, 2)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
		*h.word.Load() = 1
	}
	g := hs[0].group.Load()
	f, ok := p.HandOver(hs[0])
	if !ok || hs[0].owner != nil || g.taken.Load() != 2 {
		t.Fatalf("handed over: %v, seats %b", ok, g.taken.Load())
	}
	// Nobody owns it when its guest's call has come to an end: that counts, and its
	// stub is left alone until somebody does.
	*hs[0].word.Load() = 3
	hs[0].quelled.Store(true)
	p.Roused(hs[0])
	if g.ready.Load() != 1 || *hs[0].word.Load() != 3 {
		t.Errorf("%d are ready, the stub is told %d", g.ready.Load(), *hs[0].word.Load())
	}
	was := bound()
	p.TakeOver(hs[0], f)
	if hs[0].owner != f || g.ready.Load() != 0 || *hs[0].word.Load() != 1 || hs[0].resting.Load() {
		t.Errorf("taken over: %d are ready, the stub is told %d", g.ready.Load(), *hs[0].word.Load())
	}
	if bound() != was {
		t.Error("the owner is bound elsewhere")
	}

	f, _ = p.HandOver(hs[0])
	f.Leave()
	if bound() != p.all {
		t.Error("who left is bound")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.TakeOver(hs[0], nil)
		if cpu := p.allowed[g.owners]; bound()[cpu/64] != 1<<(cpu%64) {
			t.Error("the new owner is not where owners of the group are")
		}
		f, _ = p.HandOver(hs[0])
		f.Leave()
	}()
	<-done
	p.TakeOver(hs[0], nil)

	p.mu.Lock()
	p.endLocked(g)
	p.mu.Unlock()
	for _, h := range hs {
		if _, ok := p.HandOver(h); ok {
			t.Error("handed over without a group")
		}
		p.Exit(h)
	}
}

// TestLinger: whoever could go on instead of an owner is let go on when its guest does not
// come back while others are ready, and before it waits without a group.
func TestLinger(t *testing.T) {
	p, hs := crew(t, 2)
	lingers := 0
	for _, h := range hs {
		h.OnLinger(func() { lingers++ })
		p.Enter(h)
		p.Wait(h)
		*h.word.Load() = 1
	}
	p.HandOver(hs[1])
	look := func(want int) func(int32) bool {
		return func(int32) bool { return lingers >= want }
	}
	p.Look(hs[0], at)
	if lingers != 0 {
		t.Error("nobody is ready, and the guest came at once")
	}
	p.Roused(hs[1])
	p.Look(hs[0], look(1))
	if lingers != 1 {
		t.Errorf("%d times while another is ready", lingers)
	}
	p.TakeOver(hs[1], nil)
	if got := p.Look(hs[0], never); got != Over || lingers != 2 {
		t.Errorf("Look is %d, %d times when the group has ended", got, lingers)
	}
	for _, h := range hs {
		p.Exit(h)
	}
}
