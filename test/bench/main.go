package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed guest/costs.c
var guestSource string

// A row is one line of the table.
type row struct {
	key, text string
	unit      unit
	bar       float64 // the most it should be, as a ratio to native or a value
	ratio     bool
}

type unit struct {
	name string
	by   float64
}

var (
	micro = unit{"us", 1e3}
	nano  = unit{"ns", 1}
	milli = unit{"ms", 1e6}
	mega  = unit{"MB", 1e6}
)

// table lists the rows and ptrace's bars, 0 for none.
var table = []row{
	{"getpid", "getpid", micro, 12e3, false},
	{"stat", "stat of a root file", micro, 0, false},
	{"open", "open+close of a root file", micro, 0, false},
	{"read", "read 64 B", micro, 0, false},
	{"write", "write 4 KiB", micro, 0, false},
	{"pipe", "pipe write+read, one thread", micro, 0, false},
	{"pingpong", "pipe ping-pong, two processes", micro, 0, false},
	{"mmap", "mmap+touch+munmap", micro, 0, false},
	{"touch", "first touch per page", micro, 2, true},
	{"clock", "clock_gettime", nano, 1.5, true},
	{"fork", "fork+exit+wait", micro, 6, true},
	{"exec", "fork+exec of /bin/true", micro, 0, false},
	{"start", "sandbox start to exit of true", milli, 60e6, false},
	{"idle", "idle memory (PSS)", mega, 25e6, false},
}

var (
	runsc  = flag.String("runsc", "bin/runsc", "the runtime")
	peer   = flag.String("peer", "", "another runtime with a do command")
	rounds = flag.Int("rounds", 5, "rounds per runtime")
	only   = flag.String("rows", "", "only these rows, with commas between")
	warm   = flag.Int("warm", 1024, "MiB of memory to touch before")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	rows := table
	if *only != "" {
		names := strings.Split(*only, ",")
		rows = slices.DeleteFunc(slices.Clone(table), func(r row) bool { return !slices.Contains(names, r.key) })
		if len(rows) != len(names) {
			return fmt.Errorf("there is no row for some of %q", names)
		}
	}
	dir, err := os.MkdirTemp("", "cordon-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	guest := filepath.Join(dir, "costs")
	if err := os.WriteFile(guest+".c", []byte(guestSource), 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("gcc", "-O2", "-static", "-o", guest, guest+".c").CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %v\n%s", err, out)
	}
	runtimes := []*runtime{{name: "native"}, {name: "cordon", command: []string{*runsc, "do"}}}
	if *peer != "" {
		runtimes = append(runtimes, &runtime{name: "peer", command: []string{*peer, "do"}})
	}
	touch(*warm)
	for range *rounds {
		for _, rt := range runtimes {
			if err := rt.round(guest, rows); err != nil {
				return fmt.Errorf("%s: %w", rt.name, err)
			}
		}
	}
	print(rows, runtimes)
	return nil
}

// touch makes the host hand out memory that it has never used.
func touch(mib int) {
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

func print(rows []row, runtimes []*runtime) {
	head := "| operation | native | cordon | ratio | bar |"
	if len(runtimes) > 2 {
		head += " peer | ratio |"
	}
	fmt.Println(head)
	fmt.Println(strings.Repeat("|---", strings.Count(head, "|")-1) + "|")
	for _, r := range rows {
		native, cordon := runtimes[0].median(r.key), runtimes[1].median(r.key)
		fmt.Printf("| %s | %s | %s | %.1f | %s |", r.text, r.value(native), r.value(cordon), cordon/native, r.verdict(native, cordon))
		if len(runtimes) > 2 {
			p := runtimes[2].median(r.key)
			fmt.Printf(" %s | %.1f |", r.value(p), p/native)
		}
		fmt.Println()
	}
}

func (r *row) value(v float64) string { return fmt.Sprintf("%.3g %s", v/r.unit.by, r.unit.name) }

func (r *row) verdict(native, cordon float64) string {
	got, text := cordon, r.value(r.bar)
	switch {
	case r.bar == 0:
		return ""
	case r.ratio:
		got, text = cordon/native, fmt.Sprintf("%gx", r.bar)
	}
	if got > r.bar {
		return text + ", missed"
	}
	return text
}
