package cgroup

import (
	"math"
	"testing"
)

// deal lets groups with so many tasks each compete for cpus and returns the
// part of all that each has had.
func deal(cpus int, tasks map[*Group]int) map[*Group]float64 {
	const tick, ticks = 10e6, 5000
	var d Dealer
	var claims []Claim
	for g, n := range tasks {
		claims = append(claims, Claim{Group: g, Tasks: n})
	}
	had := map[*Group]float64{}
	granted := d.Deal(cpus, tick, claims)
	for range ticks {
		run := 0
		for _, n := range granted {
			run += n
		}
		for i := range claims {
			// The clocks of tasks that wait for a processor go on.
			claims[i].UsedNS = int64(granted[i]) * tick
			had[claims[i].Group] += float64(granted[i]) * min(1, float64(cpus)/float64(run)) / ticks / float64(cpus)
		}
		granted = d.Deal(cpus, tick, claims)
	}
	return had
}

func TestDeal(t *testing.T) {
	h := New()
	c := mustMake(t, h.Root(), "c")
	c.SetSubtree(All, 0)
	a, b, plain := mustMake(t, c, "a"), mustMake(t, c, "b"), mustMake(t, c, "plain")
	a.SetWeight(300)
	below := mustMake(t, a, "below")
	a.SetSubtree(CPU, 0)
	x, y := mustMake(t, a, "x"), mustMake(t, a, "y")
	x.SetWeight(200)
	idle := mustMake(t, c, "idle")
	idle.SetIdle(true)
	if !h.Weighs() || a.ShareGroup() != a || mustMake(t, x, "none").ShareGroup() != x {
		t.Error("who competes")
	}
	for _, e := range []struct {
		name  string
		cpus  int
		tasks map[*Group]int
		want  map[*Group]float64
	}{
		{"by weight", 1, map[*Group]int{below: 1, b: 1}, map[*Group]float64{below: 0.75, b: 0.25}},
		{"whatever the number of tasks", 2, map[*Group]int{below: 2, b: 20}, map[*Group]float64{below: 0.75, b: 0.25}},
		{"one task uses one processor", 2, map[*Group]int{below: 1, b: 4}, map[*Group]float64{below: 0.5, b: 0.5}},
		{"none waits where there is enough", 4, map[*Group]int{below: 2, b: 2}, map[*Group]float64{below: 0.5, b: 0.5}},
		{"levels", 1, map[*Group]int{x: 3, y: 1, b: 1}, map[*Group]float64{x: 0.5, y: 0.25, b: 0.25}},
		{"what one leaves is the others'", 4, map[*Group]int{below: 1, b: 5, plain: 5}, map[*Group]float64{below: 0.25, b: 0.375, plain: 0.375}},
		{"tasks beside groups", 1, map[*Group]int{c: 2, b: 1}, map[*Group]float64{c: 2. / 3, b: 1. / 3}},
		{"an idle group", 1, map[*Group]int{idle: 4, b: 1}, map[*Group]float64{idle: 0.003, b: 0.997}},
	} {
		for g, had := range deal(e.cpus, e.tasks) {
			if math.Abs(had-e.want[g]) > 0.01 {
				t.Errorf("%s: %s has had %.3f, not %.3f", e.name, g.Name(), had, e.want[g])
			}
		}
	}
}

func TestDealWithinCPUs(t *testing.T) {
	h := New()
	c := mustMake(t, h.Root(), "c")
	c.SetSubtree(All, 0)
	a, b := mustMake(t, c, "a"), mustMake(t, c, "b")
	two, last := FirstCPUs(2), CPUs{1 << 3}
	a.SetCPUs(&two, true)
	b.SetCPUs(&last, true)
	a.SetSubtree(All, 0)
	x, y := mustMake(t, a, "x"), mustMake(t, a, "y")
	y.SetCPUs(&last, true) // none of a's: all of them
	if x.EffectiveCPUs(4).String() != "0-1" || y.EffectiveCPUs(4) != two || b.EffectiveCPUs(4).String() != "3" || c.EffectiveCPUs(4).String() != "0-3" {
		t.Error(x.EffectiveCPUs(4), y.EffectiveCPUs(4), b.EffectiveCPUs(4))
	}
	for g, want := range map[*Group]float64{x: 0.25, y: 0.25, b: 0.25} {
		if had := deal(4, map[*Group]int{x: 4, y: 2, b: 1})[g]; math.Abs(had-want) > 0.01 {
			t.Errorf("%s has had %.3f, not %.3f", g.Name(), had, want)
		}
	}
	var d Dealer
	for range 3 { // as many at once as there are processors
		if n := d.Deal(4, 1e7, []Claim{{b, 3, 1e7}}); n[0] != 1 {
			t.Errorf("%d tasks on one processor", n[0])
		}
	}
	for s, want := range map[string]string{"0-3,7": "0-3,7", "": "", "5,1-2": "1-2,5"} {
		if c, e := ParseCPUs(s); e != 0 || c.String() != want {
			t.Errorf("%q: %v, %v", s, c, e)
		}
	}
	for _, s := range []string{"x", "3-1", "-1", "1-", "4096"} {
		if _, e := ParseCPUs(s); e == 0 {
			t.Errorf("%q is taken", s)
		}
	}
	if e := a.SetSubtree(0, CPUSet); e != 0 || y.OwnCPUs() != nil {
		t.Error("what is off keeps its processors")
	}
}
