package ktime

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform/arch"
	"cordon/sentry/wait"
)

func TestVirtualFiresInOrder(t *testing.T) {
	c, v := NewVirtual(1000)
	var got []int
	for i, d := range []int64{30, 10, 20, 10} {
		NewTimer(c.Monotonic, func() {
			if v.monotonic() != d {
				t.Errorf("timer %d fired at %d, not %d", i, v.monotonic(), d)
			}
			got = append(got, i)
		}).SetDeadline(d)
	}
	v.Advance(15)
	if next, ok := v.Next(); !ok || next != 20 {
		t.Errorf("Next = %d, %v", next, ok)
	}
	v.Advance(100)
	want := []int{1, 3, 2, 0}
	for i := range want {
		if len(got) != 4 || got[i] != want[i] {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
	if c.Realtime.Now() != 1115 || c.Monotonic.Now() != 115 {
		t.Errorf("clocks tell %d and %d", c.Realtime.Now(), c.Monotonic.Now())
	}
}

func TestTimer(t *testing.T) {
	c, v := NewVirtual(0)
	fires := 0
	tm := NewTimer(c.Monotonic, func() { fires++ })

	t.Run("periodic fires once until taken", func(t *testing.T) {
		tm.Set(Setting{Armed: true, Deadline: 10, Interval: 10})
		v.AdvanceTo(55)
		if fires != 1 {
			t.Errorf("fired %d times", fires)
		}
		if s := tm.Setting(); s.Deadline != 60 || !s.Armed {
			t.Errorf("setting %+v", s)
		}
		if n := tm.Take(); n != 5 {
			t.Errorf("Take = %d, want 5", n)
		}
		if n := tm.Take(); n != 0 {
			t.Errorf("second Take = %d", n)
		}
		v.AdvanceTo(60)
		if n := tm.Take(); n != 1 || fires != 2 {
			t.Errorf("Take = %d after %d fires", n, fires)
		}
	})
	t.Run("set forgets", func(t *testing.T) {
		v.AdvanceTo(75)
		old := tm.Set(Setting{Armed: true, Deadline: 100})
		if old.Deadline != 80 || old.Interval != 10 {
			t.Errorf("old %+v", old)
		}
		if tm.Take() != 0 {
			t.Error("an expiry survived Set")
		}
	})
	t.Run("one-shot", func(t *testing.T) {
		v.AdvanceTo(200)
		if s := tm.Setting(); s.Armed {
			t.Errorf("still armed: %+v", s)
		}
		if n := tm.Take(); n != 1 {
			t.Errorf("Take = %d", n)
		}
		if _, ok := v.Next(); ok {
			t.Error("an alarm is left")
		}
	})
	t.Run("image", func(t *testing.T) {
		tm.Set(Setting{Armed: true, Deadline: 210, Interval: 7})
		im := tm.Image()
		tm.Stop()
		n := 0
		r := RestoreTimer(c.Monotonic, func() { n++ }, im)
		if r.Image() != im {
			t.Errorf("%+v became %+v", im, r.Image())
		}
		v.AdvanceTo(211)
		if n != 1 || r.Take() != 1 {
			t.Error("restored timer did not fire once")
		}
		r.Stop()
	})
}

// The number of expirations over any pattern of takes is what the time alone
// says.
func TestTakeCountsEveryPeriod(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		c, v := NewVirtual(0)
		tm := NewTimer(c.Monotonic, func() {})
		start, period := rnd.Int64N(100), 1+rnd.Int64N(50)
		tm.Set(Setting{Armed: true, Deadline: start, Interval: period})
		var sum uint64
		for range 20 {
			v.Advance(rnd.Int64N(120))
			sum += tm.Take()
			var want uint64
			if now := v.monotonic(); now >= start {
				want = uint64((now-start)/period) + 1
			}
			if sum != want {
				t.Fatalf("seed %d: %d expirations, want %d", seed, sum, want)
			}
		}
	}
}

func TestSetRealtimeMovesAlarms(t *testing.T) {
	c, v := NewVirtual(1_000_000)
	steps := 0
	e := &wait.Entry{Mask: wait.Internal, Callback: func(*wait.Entry, wait.Events) { steps++ }}
	c.Steps.Add(e)
	fired := 0
	tm := NewTimer(c.Realtime, func() { fired++ })
	tm.SetDeadline(1_000_500)
	c.SetRealtime(1_000_400)
	v.Advance(99)
	if fired != 0 {
		t.Fatal("fired early")
	}
	v.Advance(1)
	if fired != 1 || steps != 1 {
		t.Fatalf("fired %d times, %d steps", fired, steps)
	}
	tm.SetDeadline(1_000_600)
	c.SetRealtime(999_000)
	v.Advance(1500)
	if fired != 1 {
		t.Fatal("fired although the clock was set back")
	}
	v.Advance(100)
	if fired != 2 {
		t.Fatal("did not fire")
	}
}

func TestStamp(t *testing.T) {
	c := NewHost()
	if now, s := c.Realtime.Now(), c.Stamp(); s < now {
		t.Fatalf("before the counter is known, %d after %d", s, now)
	}
	const wall, mult = 5e18, 1 << 30
	tsc := arch.TSC()
	c.FollowCounter(tsc, wall, mult)
	s := c.Stamp()
	if most := wall + int64(arch.Nanoseconds(mult, arch.TSC()-tsc)); s < wall || s > most {
		t.Fatalf("by the counter: %d, want %d to %d", s, int64(wall), most)
	}
	c.FollowCounter(tsc+1<<60, wall, mult)
	if s := c.Stamp(); s > wall {
		t.Fatal("a counter that is behind counts")
	}
	c.FollowCounter(tsc, wall, mult)
	c.SetRealtime(7e15)
	if s := c.Stamp(); s < 7e15 || s > 8e15 {
		t.Fatalf("after the clock was set to 7e15: %d", s)
	}
}

func TestSetting(t *testing.T) {
	c, v := NewVirtual(0)
	v.AdvanceTo(5e9)
	for _, tt := range []struct {
		name string
		in   linux.Itimerspec
		abs  bool
		want Setting
		err  error
	}{
		{"relative", linux.Itimerspec{Value: linux.Timespec{Sec: 1}}, false, Setting{Armed: true, Deadline: 6e9}, nil},
		{"absolute", linux.Itimerspec{Value: linux.Timespec{Sec: 1}}, true, Setting{Armed: true, Deadline: 1e9}, nil},
		{"huge", linux.Itimerspec{Value: linux.Timespec{Sec: math.MaxInt64}}, false, Setting{Armed: true, Deadline: math.MaxInt64}, nil},
		{"zero disarms", linux.Itimerspec{Interval: linux.Timespec{Sec: 1}}, true, Setting{}, nil},
		{"nanoseconds", linux.Itimerspec{Value: linux.Timespec{Nsec: 1e9}}, true, Setting{}, linux.EINVAL},
		{"negative", linux.Itimerspec{Interval: linux.Timespec{Sec: -1}, Value: linux.Timespec{Sec: 1}}, true, Setting{}, linux.EINVAL},
	} {
		got, err := SettingOf(c.Monotonic, &tt.in, tt.abs)
		if got != tt.want || err != tt.err {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	if got := (Setting{Armed: true, Deadline: 1}).Spec(c.Monotonic); got.Value.ToNS() != 1 {
		t.Errorf("an armed timer shows %v", got)
	}
}

func TestHostClocks(t *testing.T) {
	c := NewHost()
	for id := range linux.ClockID(12) {
		clock, ok := c.ByID(id)
		if !ok {
			continue
		}
		a := clock.Now()
		if b := clock.Now(); b < a || a == 0 {
			t.Errorf("%v: %d, then %d", id, a, b)
		}
		done := make(chan struct{})
		tm := NewTimer(clock, func() { close(done) })
		deadline := clock.Now() + 1e6
		tm.SetDeadline(deadline)
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%v: no alarm", id)
		}
		if clock.Now() < deadline {
			t.Errorf("%v: fired early", id)
		}
	}
	host := readHost(1)
	if d := c.Monotonic.Now() - host; d < -1e9 || d > 20e9 {
		t.Errorf("monotonic differs from the host's by %d", d)
	}
}

func TestRestoredClocksWaitForStart(t *testing.T) {
	r := RestoreHost(ClocksImage{Monotonic: 77e9, RealtimeOffset: 5})
	fired := make(chan struct{})
	NewTimer(r.Monotonic, func() { close(fired) }).SetDeadline(77e9 + 1)
	stopped := NewTimer(r.Realtime, func() { t.Error("a stopped timer fired") })
	stopped.SetDeadline(1)
	stopped.Stop()
	late := r.Monotonic.Now() + 1e6
	for r.Monotonic.Now() < late { // as loading does, this takes time
	}
	select {
	case <-fired:
		t.Fatal("a timer fired before Start")
	default:
	}
	before := r.Monotonic.Now()
	r.Start()
	if now := r.Monotonic.Now(); now < 77e9 || now >= before {
		t.Errorf("monotonic is %d after Start, %d before", now, before)
	}
	select {
	case <-fired:
	case <-time.After(20 * time.Second):
		t.Fatal("no alarm after Start")
	}
}

func TestVirtualGoesOn(t *testing.T) {
	c, v := NewVirtual(1000)
	v.Advance(50)
	im := c.Image()
	r, rv := NewVirtual(1000)
	r.GoOn(im)
	r.Start()
	fired := false
	NewTimer(r.Monotonic, func() { fired = true }).SetDeadline(60)
	if r.Monotonic.Now() != 50 || r.Realtime.Now() != 1050 || fired {
		t.Errorf("clocks tell %d and %d, fired %v", r.Monotonic.Now(), r.Realtime.Now(), fired)
	}
	if rv.AdvanceTo(60); !fired {
		t.Error("the alarm of a restored clock does not go off")
	}
}

func TestSetDoesNotAllocate(t *testing.T) {
	if lock.Checking {
		t.Skip("the lock checker allocates")
	}
	tm := NewTimer(NewHost().Monotonic, func() {})
	tm.SetDeadline(math.MaxInt64)
	if n := testing.AllocsPerRun(100, func() { tm.SetDeadline(math.MaxInt64); tm.Stop() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
