package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

var (
	runsc    = flag.String("runsc", "bin/runsc", "the runtime")
	platform = flag.String("platform", "", "the runtime's --platform (default: its own choice)")
	peer     = flag.String("peer", "", "another runtime with a do command; its flags may follow")
	rounds   = flag.Int("rounds", 5, "rounds per runtime")
	only     = flag.String("rows", "", "only these rows, with commas between; growth is costs as work grows, containers, network and neighbour beside runc, ways (alone) what the host's ways of catching a call cost")
	warm     = flag.Int("warm", 1024, "MiB of memory to touch before")
	idleSecs = flag.Int("idle-seconds", 60, "how long a sandbox idles for its CPU time")
	jsonFile = flag.String("json", "", "write every figure to this file")
	profile  = flag.String("profile", "", "do not measure: run each row once in the sandbox below perf, and write where its CPU time goes to this directory")
	timeout  = flag.Duration("timeout", 3*time.Minute, "the most one round of one runtime may take")
)

func main() {
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var rows []row
	var err error
	if *only != "ways" {
		if rows, err = chosenRows(*only); err != nil {
			return err
		}
	}
	b, err := newBench()
	if err != nil {
		return err
	}
	defer b.close()
	if rows == nil {
		return b.ways()
	}
	if err := b.build(rows); err != nil {
		return err
	}
	touch(*warm)
	if *profile != "" {
		return b.profile(rows, *profile)
	}
	// Results are printed as they come, so that an interrupted run has some.
	var all []*result
	for i, r := range rows {
		res := b.row(r, fmt.Sprintf("%d/%d %s", i+1, len(rows), r.key))
		all = append(all, res)
		if i == 0 || b.head(r) != b.head(rows[i-1]) {
			b.printHead(r)
		}
		b.print(res)
	}
	if *jsonFile != "" {
		if err := b.writeJSON(*jsonFile, all); err != nil {
			return err
		}
	}
	for _, res := range all {
		if res.err != nil {
			return fmt.Errorf("%s failed", res.row.key)
		}
	}
	return nil
}

// chosenRows returns the rows that names (with commas between) asks for.
func chosenRows(names string) ([]row, error) {
	if names == "" {
		return allRows(), nil
	}
	groups := map[string][]row{"growth": growthRows(), "containers": containerRows(), "network": networkRows(), "neighbour": neighbourRows()}
	known := slices.Concat(allRows(), growthRows(), containerRows(), networkRows(), neighbourRows())
	var rows []row
	for name := range strings.SplitSeq(names, ",") {
		if group, ok := groups[name]; ok {
			rows = append(rows, group...)
			continue
		}
		i := slices.IndexFunc(known, func(r row) bool { return r.key == name })
		if i < 0 {
			var keys []string
			for _, r := range known {
				keys = append(keys, r.key)
			}
			return nil, fmt.Errorf("there is no row %q, but growth, containers, network, neighbour and %s", name, strings.Join(keys, " "))
		}
		rows = append(rows, known[i])
	}
	return rows, nil
}

// touch makes the host hand out memory that it has never used.
func touch(mib int) {
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}
