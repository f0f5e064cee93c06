package stub

import (
	"sync/atomic"
	"testing"
)

// TestTrial: two guests that want their group's CPU all the time are tried apart, where
// they stay as long as they make more calls there than together.
func TestTrial(t *testing.T) {
	const look = int64(lookPeriod)
	p, hs := crew(t, 4)
	meet := func() {
		t.Helper()
		p.apart.Store(0)
		for _, h := range hs {
			p.Exit(h)
		}
		for _, h := range hs {
			p.Enter(h)
			if p.Wait(h) == 0 {
				t.Error("no group")
			}
			atomic.StoreUint32(h.word.Load(), 1)
		}
	}
	looks := func(n int, now *int64, calls int64) {
		for range n {
			*now += look
			p.tryLocked(calls, *now)
		}
	}
	p.mu.Lock()
	now := p.now()
	p.trial.next = now // the placer's own looks begin nothing before
	p.mu.Unlock()
	meet()
	p.mu.Lock()
	defer p.mu.Unlock()

	// Only one wants the CPU.
	atomic.StoreUint32(hs[0].word.Load(), 0)
	looks(20, &now, 100)
	if len(p.groups) != 1 || p.trial.score != 0 {
		t.Fatalf("%d groups, score %d, with one that runs", len(p.groups), p.trial.score)
	}
	try := func(together, apart int64) {
		t.Helper()
		atomic.StoreUint32(hs[0].word.Load(), 0)
		atomic.StoreUint32(hs[2].word.Load(), 0)
		looks(trialScore-1, &now, together)
		if len(p.groups) != 1 {
			t.Fatal("no group any more")
		}
		looks(1, &now, together)
		if len(p.groups) != 0 || p.mayGroup(now) || !p.trial.under {
			t.Fatal("no trial")
		}
		cpus := map[int]int{}
		for _, h := range hs {
			if cpus[h.cpu]++; h.group.Load() != nil || h.slowed.Load() {
				t.Error("a member is still in the group, or taken for slow")
			}
		}
		if len(cpus) != 2 || cpus[hs[0].cpu] != 2 {
			t.Errorf("the members are on CPUs %v", cpus)
		}
		looks(1, &now, 0) // they move
		looks(int(trialTime/look)-1, &now, apart)
		if p.trial.under {
			t.Fatal("the trial does not end")
		}
	}
	again := func() {
		t.Helper()
		p.mu.Unlock()
		meet()
		p.mu.Lock()
	}
	try(100, 200)
	if at := p.apart.Load(); at != now+trialHold || p.mayGroup(now) {
		t.Errorf("better apart, and until %d ns from now", at-now)
	}
	now = p.apart.Load()
	again()
	try(100, 200)
	if at := p.apart.Load(); at != now+2*trialHold {
		t.Errorf("better apart again, and until %d ns from now", at-now)
	}
	now = p.apart.Load()
	again()
	try(100, 101)
	if !p.mayGroup(now) || p.trial.next != now+trialHold {
		t.Errorf("not better apart: the next trial is %d ns from now", p.trial.next-now)
	}
	again()
	atomic.StoreUint32(hs[0].word.Load(), 0)
	atomic.StoreUint32(hs[2].word.Load(), 0)
	looks(int(trialHold/look)-1, &now, 100)
	if len(p.groups) != 1 || p.trial.score != 0 {
		t.Error("a trial before its time")
	}
}

// TestCount: calls are counted in batches, and told once.
func TestCount(t *testing.T) {
	p, hs := crew(t, 2)
	for range 3*countBatch + 1 {
		p.Count(hs[0])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.callsLocked(); n != 3*countBatch {
		t.Errorf("%d calls", n)
	}
	if n := p.callsLocked(); n != 0 {
		t.Errorf("%d calls again", n)
	}
}
