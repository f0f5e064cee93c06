// Command summary reads `go test -json` on standard input. It prints the output
// of what failed, the reason of every skipped test, and a closing line with
// the counts of tests and packages.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
	Elapsed                       float64
}

func main() {
	s := &summary{output: map[string][]string{}, hasTests: map[string]bool{}, reasons: map[string]int{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) == nil {
			s.add(e)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
	s.print()
	if s.failed > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

// lastLines is how much is printed of a test that its package's end cut short.
const lastLines = 60

// unfinished prints the last that the unfinished tests of a package said: a
// panic or a time limit is among it.
func (s *summary) unfinished(pkg string) {
	for key, lines := range s.output {
		if strings.HasPrefix(key, pkg+" ") {
			fmt.Printf("--- %s did not end\n%s", key, strings.Join(lines[max(0, len(lines)-lastLines):], ""))
		}
	}
}

type summary struct {
	output   map[string][]string // by package and test
	hasTests map[string]bool
	reasons  map[string]int // why tests were skipped

	passed, failed, skipped int
}

func (s *summary) add(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		s.output[key] = append(s.output[key], e.Output)
		return
	case "build-fail":
		s.fail(key, "does not build")
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		// A package counts only where no test of it can: it did not get far
		// enough, or ended by a time limit.
		if e.Action == "fail" && !s.hasTests[e.Package] {
			s.unfinished(e.Package)
			s.fail(key, "failed")
		}
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.hasTests[e.Package] = true
		s.fail(key, "failed")
	case "skip":
		s.skipped++
		s.reasons[s.reason(key)]++
	}
	delete(s.output, key)
}

func (s *summary) fail(key, how string) {
	s.failed++
	fmt.Printf("--- %s %s\n", strings.TrimSpace(key), how)
	const maxLines = 200
	lines := s.output[key]
	if len(lines) > maxLines {
		fmt.Printf("(%d lines left out)\n", len(lines)-maxLines)
		lines = lines[len(lines)-maxLines:]
	}
	for _, l := range lines {
		fmt.Print(l)
	}
}

// reason is what a skipped test said: its last line that is not the tool's.
func (s *summary) reason(key string) string {
	for i := len(s.output[key]) - 1; i >= 0; i-- {
		l := strings.TrimSpace(s.output[key][i])
		if l == "" || strings.HasPrefix(l, "---") || strings.HasPrefix(l, "===") {
			continue
		}
		// "file.go:12: reason"
		if _, after, ok := strings.Cut(l, ": "); ok {
			return after
		}
		return l
	}
	return "no reason given"
}

func (s *summary) print() {
	if len(s.reasons) > 0 {
		fmt.Println("skipped:")
		var all []string
		for r := range s.reasons {
			all = append(all, r)
		}
		sort.Strings(all)
		for _, r := range all {
			fmt.Printf("  %4d  %s\n", s.reasons[r], r)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
}
