package stub

import (
	"math/bits"
	"math/rand"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// crew is some contexts of one test, all owned by its thread.
func crew(t *testing.T, n int) (*Placer, []*Place) {
	runtime.LockOSThread()
	p := NewPlacer(-1)
	if len(p.allowed) < 2 {
		p.Stop()
		t.Skip("needs two CPUs")
	}
	places := make([]*Place, n)
	for i := range places {
		places[i] = &Place{}
		p.Start(places[i])
		p.Bind(places[i], 0, new(uint32))
	}
	t.Cleanup(func() {
		for _, h := range places {
			p.Leave(h)
		}
		if out, live := p.out.Load(), p.live.Load(); out != 0 || live != 0 || len(p.groups) != 0 {
			t.Errorf("all have left, but %d guests run, groups have %d CPUs and are %d", out, live, len(p.groups))
		}
		p.Stop()
		SetBatch(0, false)
		SetAffinitySet(0, &p.all)
		runtime.UnlockOSThread()
	})
	return p, places
}

func never(int32) bool { return false }
func at(int32) bool    { return true }

// TestGroupForms: quick guests share a CPU, their owners another.
func TestGroupForms(t *testing.T) {
	p, hs := crew(t, 3)
	for _, h := range hs {
		p.Enter(h)
		if p.Wait(h) == 0 {
			t.Fatal("a guest that was never slow has no group")
		}
		if got := p.Look(h, at); got != Came {
			t.Fatalf("Look is %d", got)
		}
	}
	if len(p.groups) != 1 || p.groups[0].guests == p.groups[0].owners {
		t.Fatalf("%d groups", len(p.groups))
	}
	for _, h := range hs {
		if cpu, apart := p.Near(h); h.cpu != p.groups[0].guests || cpu != p.allowed[h.cpu] || !apart {
			t.Error("a member is elsewhere")
		}
	}
}

// TestGroupEnds: a guest that does not come ends its group, and is not quick any more.
func TestGroupEnds(t *testing.T) {
	p, hs := crew(t, 2)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
	}
	if got := p.Look(hs[0], never); got != Over {
		t.Fatalf("Look is %d", got)
	}
	for _, h := range hs {
		p.Exit(h)
		p.Enter(h)
		if p.Wait(h) != 0 {
			t.Error("a slow guest is in a group")
		}
	}
	if p.out.Load() != 2 {
		t.Errorf("%d slow guests run", p.out.Load())
	}
	for range quickStreak {
		p.Exit(hs[0])
		p.Ran(hs[0])
		p.Enter(hs[0])
		if p.Wait(hs[0]) != 0 {
			t.Fatal("a group while a slow guest runs")
		}
	}
	p.Exit(hs[1])
	if p.Wait(hs[0]) == 0 {
		t.Error("no group when the other has stopped")
	}
}

// TestGroupPatience: a guest that has its group for itself may compute for longer.
func TestGroupPatience(t *testing.T) {
	p, hs := crew(t, 2)
	looks := func() (n int32) {
		p.Wait(hs[0])
		if got := p.Look(hs[0], func(some int32) bool { n += some; return false }); got != Over {
			t.Fatalf("Look is %d", got)
		}
		return n
	}
	p.Enter(hs[0])
	alone := looks()
	for _, h := range hs {
		p.Exit(h)
		h.streak = quickStreak
		h.slowed.Store(false)
		p.Enter(h)
		p.Wait(h)
	}
	if two := looks(); alone < 2*two {
		t.Errorf("the group of one has ended after %d looks, that of two after %d", alone, two)
	}
}

// TestGroupCalls: who looks wakes the owner whose guest has come, and lets it run.
func TestGroupCalls(t *testing.T) {
	p, hs := crew(t, 2)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
	}
	p.Parking(hs[1])
	*hs[1].word.Load() = 1
	if got := p.Look(hs[0], never); got != Park {
		t.Fatalf("Look is %d", got)
	}
	g := hs[0].group.Load()
	if g.ready.Load() != 1 {
		t.Error("the woken owner is not counted")
	}
	p.Parked(hs[1])
	if g.ready.Load() != 0 {
		t.Error("it is still counted when it has woken")
	}
}

// TestGroupCounts does all sorts of things in any order, after which nothing may be
// left.
func TestGroupCounts(t *testing.T) {
	p, hs := crew(t, 4)
	r := rand.New(rand.NewSource(1))
	for range 3000 {
		h := hs[r.Intn(len(hs))]
		switch r.Intn(8) {
		case 0, 1, 2:
			p.Enter(h)
			if p.Wait(h) != 0 {
				look := at
				if r.Intn(20) == 0 {
					look = never
				}
				if p.Look(h, look) == Came {
					break
				}
			}
			p.Exit(h)
			p.Ran(h)
		case 3:
			p.Rest(h)
			p.Risen(h)
		case 4:
			p.Roused(h)
		case 5:
			p.Parking(h)
			p.Parked(h)
		case 6:
			p.look()
		case 7:
			if r.Intn(10) == 0 {
				p.Leave(h)
				*h = Place{}
				p.Start(h)
				p.Bind(h, 0, new(uint32))
			}
		}
		busy := int32(0)
		for _, g := range p.groups {
			n := 0
			for _, m := range hs {
				if m.out && m.group.Load() == g {
					n++
				}
			}
			if n != bits.OnesCount64(g.taken.Load()) {
				t.Fatalf("%d guests of a group have %b seats", n, g.taken.Load())
			}
			if n != g.out {
				t.Fatalf("a group counts %d guests, has %d", g.out, n)
			}
			if n > 0 {
				busy += 2
			}
		}
		if busy != p.live.Load() {
			t.Fatalf("groups count %d CPUs, use %d", p.live.Load(), busy)
		}
	}
}

// loadOf has p read the host's load from what the function that it returns says.
func loadOf(t *testing.T, p *Placer) (say func(string)) {
	f, err := os.CreateTemp(t.TempDir(), "loadavg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.load.fd, err = unix.Dup(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	return func(s string) { f.WriteAt([]byte(s), 0) }
}

// TestGroupLoadOwn: what threads of the Sentry want for a moment ends no group.
func TestGroupLoadOwn(t *testing.T) {
	p, hs := crew(t, 1)
	say := loadOf(t, p)
	p.parked.Store(false) // nobody but this test looks
	p.Enter(hs[0])
	if p.Wait(hs[0]) == 0 {
		t.Fatal("no group")
	}
	say("1.00 0.50 0.40 7/120 999\n")
	p.look()
	for i := range maxOwn {
		burn()
		if p.look(); hs[0].group.Load() == nil {
			t.Fatalf("a group has ended after %d looks because of a thread of ours", i+1)
		}
	}
	for range loadLimit {
		burn()
		p.look()
	}
	if hs[0].group.Load() != nil {
		t.Error("a group stays though too many want to run all the time")
	}
}

// burn has another thread of the process run for longer than a look overlooks.
func burn() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tid := CurrentThread()
		for begin := ThreadTime(tid); ThreadTime(tid)-begin <= 2*ownTime; {
		}
	}()
	<-done
}

// TestGroupLoad: groups end when others want the CPUs, and wait before they form again.
func TestGroupLoad(t *testing.T) {
	p, hs := crew(t, 1)
	say := loadOf(t, p)
	p.Enter(hs[0])
	say("1.00 0.50 0.40 3/120 999\n") // the reader, a guest and its owner
	for range 20 {
		if p.look(); p.Wait(hs[0]) == 0 {
			t.Fatal("a group ended though nobody else runs")
		}
	}
	say("1.00 0.50 0.40 7/120 999\n")
	for range loadLimit {
		p.look()
	}
	if p.Wait(hs[0]) != 0 {
		t.Fatal("a group stays when two others want to run")
	}
	p.mu.Lock()
	pause := p.load.pause
	p.mu.Unlock()
	p.until.Store(0) // the pause is over
	if p.Wait(hs[0]) == 0 {
		t.Fatal("no group after the pause")
	}
	for range loadLimit {
		p.look()
	}
	if p.Wait(hs[0]) != 0 || p.load.pause != 2*pause {
		t.Errorf("the next pause is %v, after %v", p.load.pause, pause)
	}
	say("1.00 0.50 0.40 2/120 999\n") // the reader and one of ours
	for range loadPause * 2 / pausePart / lookPeriod.Nanoseconds() {
		p.look()
	}
	if p.Wait(hs[0]) == 0 {
		t.Error("no group though the others have ended")
	}
}

func TestParseRunnable(t *testing.T) {
	for _, c := range []struct {
		line string
		n    int
		ok   bool
	}{{"0.00 0.01 0.05 2/345 6789\n", 1, true}, {"0.00 0.01", 0, false}, {"", 0, false}, {"a b c d/e", 0, false}} {
		if n, ok := parseRunnable([]byte(c.line)); ok != c.ok || ok && n != c.n {
			t.Errorf("%q: %d, %v", c.line, n, ok)
		}
	}
}

// TestOwnersLook: some owners of a group that sleep look for what wakes them first, and
// are counted as ready when it comes; their guests are not asked to yield then.
func TestOwnersLook(t *testing.T) {
	p, hs := crew(t, maxLooking+2)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
		*h.word.Load() = 1
	}
	g := hs[0].group.Load()
	for i, h := range hs[1:] {
		if got, want := p.Rest(h), i < maxLooking; got != want {
			t.Errorf("owner %d looks: %v", i, got)
		}
		if *h.word.Load() != 2 {
			t.Errorf("the guest of owner %d is not asked to yield", i)
		}
	}
	for i := range maxYields {
		if !p.Yield(hs[1]) {
			t.Fatalf("it looks %d times", i)
		}
	}
	if p.Yield(hs[1]) {
		t.Error("it looks for ever")
	}
	p.Roused(hs[1])
	if *hs[1].word.Load() != 1 || g.ready.Load() != 1 {
		t.Errorf("the woken owner's guest yields: %v, %d are ready", *hs[1].word.Load() == 2, g.ready.Load())
	}
	for _, h := range hs[1:] {
		p.Risen(h)
	}
	if g.looking.Load() != 0 || g.ready.Load() != 0 {
		t.Errorf("%d look, %d are ready", g.looking.Load(), g.ready.Load())
	}
}

// TestSleepersOutliveTheirGroup: members that rest when their group ends go on in the next
// one, or alone when there is none, and cost it nothing to end.
func TestSleepersOutliveTheirGroup(t *testing.T) {
	p, hs := crew(t, 4)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
	}
	g := hs[0].group.Load()
	for _, h := range hs[1:] {
		p.Rest(h)
	}
	if g.taken.Load() != 1 || g.members != 4 {
		t.Fatalf("%b seats are taken by %d members", g.taken.Load(), g.members)
	}
	p.mu.Lock()
	p.endLocked(g)
	p.mu.Unlock()
	if hs[0].group.Load() != nil || hs[1].group.Load() != g {
		t.Error("who runs is a member, or who rests is none")
	}
	p.Exit(hs[0])
	p.Risen(hs[1])
	p.Enter(hs[1])
	next := hs[1].group.Load()
	if next == nil || next == g || next.members != 1 || next.out != 1 || next.taken.Load() != 1 {
		t.Fatalf("the next group is %+v", next)
	}
	// A computing guest wants one of its CPUs: it ends, and there is none.
	p.mu.Lock()
	p.endLocked(next)
	p.mu.Unlock()
	p.Risen(hs[2])
	p.Enter(hs[2])
	if hs[2].group.Load() != nil || !hs[2].out {
		t.Error("a group while a guest runs that had one")
	}
	// One leaves that never learned of the end.
	p.Leave(hs[3])
	if hs[3].group.Load() != nil {
		t.Error("it has a group")
	}
	for _, h := range hs[:3] {
		p.Exit(h)
	}
}

// TestStubsOfSleepers: the stubs of those who rested last look for their answers; that of
// one more is told to sleep, and woken with its owner.
func TestStubsOfSleepers(t *testing.T) {
	p, hs := crew(t, lastRested+2)
	for _, h := range hs {
		p.Enter(h)
		p.Wait(h)
		*h.word.Load() = 1
	}
	for _, h := range hs[:lastRested+1] {
		p.Rest(h)
	}
	for i, h := range hs[:lastRested+1] {
		want := uint32(2)
		if i == 0 {
			want = 3
		}
		if got := *h.word.Load(); got != want {
			t.Errorf("stub %d is told %d, want %d", i, got, want)
		}
	}
	p.Roused(hs[0])
	if got := *hs[0].word.Load(); got != 1 {
		t.Errorf("the stub of a woken owner is told %d", got)
	}
	for _, h := range hs[:lastRested+1] {
		p.Risen(h)
	}
}

// TestSeats: who finds no seat in a group is a member all the same.
func TestSeats(t *testing.T) {
	p, hs := crew(t, maxSeats+3)
	for _, h := range hs {
		p.Enter(h)
		if p.Wait(h) == 0 {
			t.Fatal("a guest has no group")
		}
	}
	g := hs[0].group.Load()
	if g.taken.Load() != ^uint64(0) || g.out != len(hs) || g.members != len(hs) {
		t.Errorf("%b seats, %d run of %d", g.taken.Load(), g.out, g.members)
	}
	p.mu.Lock()
	p.endLocked(g)
	p.mu.Unlock()
	for _, h := range hs {
		if got := p.Look(h, never); got != Over {
			t.Errorf("Look is %d", got)
		}
		if h.group.Load() != nil {
			t.Error("a member of a group that has ended")
		}
	}
	if n := p.out.Load(); int(n) != len(hs) {
		t.Errorf("%d guests run", n)
	}
	for _, h := range hs {
		p.Exit(h)
	}
}
