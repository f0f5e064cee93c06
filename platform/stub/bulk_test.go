package stub

import (
	"math"
	"testing"
)

// TestBulk: a guest that has moved much leaves its group for some runs, and the others' group forms again.
func TestBulk(t *testing.T) {
	p, hs := crew(t, 2)
	for _, h := range hs {
		p.Enter(h)
		if p.Wait(h) == 0 {
			t.Fatal("no group")
		}
	}
	p.Bulk(hs[0])
	if hs[0].group.Load() != nil || len(p.groups) != 0 {
		t.Fatal("a guest that moves much is in a group")
	}
	for range bulkRuns {
		p.Exit(hs[0])
		p.Ran(hs[0])
		p.Enter(hs[0])
		if p.Wait(hs[0]) != 0 {
			t.Fatal("it is in a group again before its time")
		}
	}
	p.Exit(hs[1])
	p.Exit(hs[0])
	p.Enter(hs[0])
	if p.Wait(hs[0]) == 0 {
		t.Error("it stays outside for good")
	}
}

// TestBulkRoams: the owner of such a guest sleeps unbound, and is bound again together with its stub.
func TestBulkRoams(t *testing.T) {
	p, hs := crew(t, 1)
	h := hs[0]
	p.Enter(h)
	p.Wait(h)
	p.Bulk(h)
	var set [16]uint64
	p.Rest(h)
	if AffinitySet(0, &set); set != p.all {
		t.Error("the owner sleeps bound to a CPU")
	}
	SetAffinity(0, p.allowed[1-h.cpu]) // where the host wakes it
	p.Risen(h)
	if AffinitySet(0, &set); set != cpus(p.allowed[h.cpu]) || p.allowed[h.cpu] != CurrentCPU() {
		t.Error("the owner is not bound where it woke up")
	}
	h.stays = math.MaxInt64
	p.Rest(h)
	if AffinitySet(0, &set); set != cpus(p.allowed[h.cpu]) {
		t.Error("the owner does not stay for a while")
	}
	p.Risen(h)
}

func cpus(cpu int) (set [16]uint64) {
	set[cpu/64] = 1 << (cpu % 64)
	return set
}
