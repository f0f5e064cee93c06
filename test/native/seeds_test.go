package native

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"cordon/test/prog"
)

var seeds = flag.Int("seeds", 4, "how many drawn seeds to run the programs with on sim")

// replay is the command that runs one program again as it has just been run.
func replay(test, program string, seed uint64) string {
	return fmt.Sprintf("go test ./test/native -run '^%s$' -args -only '^%s$' -seed %d", test, program, seed)
}

// whileRunning is what a line of the log says of the host's time.
var whileRunning = regexp.MustCompile(`^(\[ *\d+\]) [\d.]+|( <[\d.]+>)?\n$`)

// handlers runs p and returns its trace and its system calls, of all tasks in
// the order in which they ended.
func handlers(p *prog.Program, seed uint64) (trace, log string, err error) {
	var mu sync.Mutex
	var b strings.Builder
	s := savedRun{p: p, seed: seed, at: never, log: func(line []byte) {
		mu.Lock()
		defer mu.Unlock()
		b.Write(whileRunning.ReplaceAll(bytes.Clone(line), []byte("$1")))
		b.WriteByte('\n')
	}}
	trace, _, err = s.run()
	mu.Lock()
	defer mu.Unlock()
	return trace, b.String(), err
}

// TestSimSeed runs every program twice with one seed: all handlers, of all its
// tasks, run in the same order with the same arguments and results.
func TestSimSeed(t *testing.T) {
	simOnly(t)
	programs := load(t)
	problems := make([]string, len(programs))
	tasks := make([]int, len(programs))
	each(len(programs), func(k int) {
		p := programs[k]
		trace, first, err := handlers(p, *seed)
		_, second, err2 := handlers(p, *seed)
		tasks[k] = strings.Count(trace, "task ")
		switch {
		case err != nil:
			problems[k] = err.Error()
		case err2 != nil:
			problems[k] = err2.Error()
		case first != second:
			problems[k] = diff(first, second)
		}
	})
	several := 0
	for k, p := range programs {
		if tasks[k] > 1 {
			several++
		}
		if problems[k] != "" {
			t.Errorf("%s: two runs with seed %d differ (-first +second); %s\n%s", p.Name, *seed, replay("TestSimSeed", p.Name, *seed), problems[k])
		}
	}
	t.Logf("%d programs, %d of them with several tasks", len(programs), several)
}

// TestSimSeeds runs every program with drawn seeds: its trace is the host's
// whatever the schedule.
func TestSimSeeds(t *testing.T) {
	simOnly(t)
	if testing.Short() {
		t.Skip("one seed is enough")
	}
	programs := load(t)
	known := knownIn(t, "known-sim.txt")
	for range *seeds {
		seed := rand.Uint64()
		problems := make([]string, len(programs))
		each(len(programs), func(k int) {
			p := programs[k]
			want, err := os.ReadFile(wantFile(p.Name))
			if err != nil {
				problems[k] = err.Error()
				return
			}
			got, err := runSim(p, seed)
			switch {
			case known[p.Name] != "":
			case err != nil:
				problems[k] = err.Error()
			case got != string(want):
				problems[k] = "differs from the host (-want +got):\n" + diff(string(want), got)
			}
		})
		for k, p := range programs {
			if problems[k] != "" {
				t.Errorf("%s, seed %d; %s\n%s", p.Name, seed, replay("TestSim", p.Name, seed), problems[k])
			}
		}
	}
}

// simOnly skips where sim is not what is tested.
func simOnly(t *testing.T) {
	t.Helper()
	if *record || *onHost {
		t.Skip("the host is meant")
	}
}
