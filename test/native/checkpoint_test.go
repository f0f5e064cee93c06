package native

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"cordon/test/prog"
)

var (
	places = flag.Uint64("places", 0, "before how many of each program's calls to save and restore (0: all)")
	before = flag.Int64("before", -1, "save and restore before this call only")
)

// callsAfter is how many of simvm's calls come after a program's own.
const callsAfter = 6

// TestSimCheckpoint runs every program once as it is, and then once for each of
// its system calls, saved, thrown away and restored before that call: the trace
// stays the same.
func TestSimCheckpoint(t *testing.T) {
	if testing.Short() {
		t.Skip("a run for each of many calls")
	}
	programs := load(t)
	known := knownIn(t, "known-checkpoint.txt")
	empty, err := prog.Compile("empty", "# Nothing.\n")
	if err != nil {
		t.Fatal(err)
	}
	_, around, err := (&savedRun{p: empty, seed: *seed, at: never}).run()
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(programs))
	restores := make([]int, len(programs))
	var restoring sync.Mutex
	each(len(programs), func(k int) {
		p := programs[k]
		restores[k], errs[k] = checkpointEach(p, around-callsAfter, &restoring)
		if *verbose {
			fmt.Printf("=== %s: %d restores, %v\n", p.Name, restores[k], errs[k])
		}
	})
	total, agree := 0, 0
	for k, p := range programs {
		total += restores[k]
		reason, listed := known[p.Name]
		switch delete(known, p.Name); {
		case errs[k] == nil:
			agree++
			if listed && *places == 0 && *before < 0 {
				t.Errorf("%s: agrees at every call: take it out of the list (%s)", p.Name, reason)
			}
		case !listed:
			t.Errorf("%s: %v\n%s", p.Name, errs[k], replay("TestSimCheckpoint", p.Name, *seed))
		}
	}
	t.Logf("%d of %d programs agree, over %d restores", agree, len(programs), total)
	if *only == "" {
		for _, name := range sorted(known) {
			t.Errorf("known-checkpoint.txt names %s, which is no program", name)
		}
	}
}

// each calls f for 0 to n-1, several at a time.
func each(n int, f func(int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range 4 * runtime.NumCPU() {
		all.Go(func() {
			for k := range next {
				f(k)
			}
		})
	}
	for k := range n {
		next <- k
	}
	close(next)
	all.Wait()
}

// checkpointEach saves and restores p before its calls, and says how often.
func checkpointEach(p *prog.Program, from uint64, restoring *sync.Mutex) (restores int, err error) {
	whole := savedRun{p: p, seed: *seed, at: never}
	want, calls, err := whole.run()
	if err != nil {
		return 0, err
	}
	step := uint64(1)
	if *before >= 0 {
		from, calls = uint64(*before), uint64(*before)+1
	}
	if *places != 0 {
		step = max(1, (calls-from) / *places)
	}
	for at := from; at < calls; at += step {
		s := savedRun{p: p, seed: *seed, at: at, restoring: restoring}
		got, reached, err := s.run()
		switch {
		case err != nil:
			return restores, fmt.Errorf("-before %d, of %d calls: %w", at, calls, err)
		case got != want:
			return restores, fmt.Errorf("-before %d, of %d calls (-without +with):\n%s", at, calls, diff(want, got))
		case reached == at+1:
			restores++
		}
	}
	return restores, nil
}
