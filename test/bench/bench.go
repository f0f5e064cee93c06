package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed guest/costs.c
var costsSource string

//go:embed guest/load.c
var loadSource string

//go:embed guest/growth.c
var growthSource string

// bench is one run: the runtimes and the directory with their programs.
type bench struct {
	dir      string
	runtimes []*runtime // native, cordon, and a peer if there is one
}

func newBench() (*bench, error) {
	dir, err := os.MkdirTemp("", "cordon-bench")
	if err != nil {
		return nil, err
	}
	// The guest may be another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	cordon := []string{*runsc, "do"}
	if *platform != "" {
		cordon = append(cordon, "--platform", *platform)
	}
	b := &bench{dir: dir, runtimes: []*runtime{{name: "native"}, {name: "cordon", command: cordon}}}
	if *peer != "" {
		b.runtimes = append(b.runtimes, &runtime{name: "peer", command: append(strings.Fields(*peer), "do")})
	}
	return b, nil
}

func (b *bench) close() { os.RemoveAll(b.dir) }

// build makes what the rows run.
func (b *bench) build(rows []row) error {
	files := map[string]string{
		"costs.c": costsSource, "load.c": loadSource, "growth.c": growthSource, "neighbour.c": neighbourSource,
		"go/go.mod": "module bench\n\ngo 1.24\n", "go/main.go": goSource,
	}
	for i := range 6 {
		files[fmt.Sprintf("c/part%d.c", i)] = cSource(i)
	}
	for name, text := range files {
		path := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, c := range []string{"-static costs costs.c", "costs-dynamic costs.c", "-static load load.c", "-static -pthread growth growth.c", "-static neighbour neighbour.c"} {
		f := strings.Fields(c)
		args := append([]string{"-O2"}, f[:len(f)-2]...)
		cmd := exec.Command("gcc", append(args, "-o", f[len(f)-2], f[len(f)-1])...)
		cmd.Dir = b.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %v\n%s", c, err, out)
		}
	}
	return nil
}

const goSource = `package main

import (
	"fmt"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL) })
	fmt.Println(http.ListenAndServe("127.0.0.1:8080", nil))
}
`

func cSource(i int) string {
	if i == 0 {
		return "int part1(int), part2(int), part3(int), part4(int), part5(int);\n" +
			"int main(int n, char **v) { return part1(part2(part3(part4(part5(n))))) < 0; }\n"
	}
	return fmt.Sprintf(`#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int part%d(int n) {
	char b[64];
	for (int i = 0; i < n %% 50; i++) n += snprintf(b, sizeof b, "%%d", i) + (int)strlen(b);
	return n;
}
`, i)
}

// A result is what a row came to.
type result struct {
	row     row
	figures []map[int][]float64 // per runtime: by size, in the order of rounds
	skipped string
	err     error
	peerErr error // the peer's failures leave native and cordon standing
}

// row measures one row on every runtime, in turns. progress names it.
func (b *bench) row(r row, progress string) *result {
	res := &result{row: r, figures: make([]map[int][]float64, len(b.runtimes))}
	for i := range res.figures {
		res.figures[i] = map[int][]float64{}
	}
	if res.skipped = b.lacks(r); res.skipped != "" {
		fmt.Fprintf(os.Stderr, "%s: skipped: %s\n", progress, res.skipped)
		return res
	}
	n := *rounds
	if r.rounds != 0 {
		n = min(n, r.rounds)
	}
	if r.measure == nil {
		// Once for the host's caches.
		if _, err := b.measure(r, b.runtimes[0]); err != nil {
			res.err = fmt.Errorf("native: %w", err)
			fmt.Fprintf(os.Stderr, "%s: %v\n", progress, res.err)
		}
	}
	for round := 1; round <= n && res.err == nil; round++ {
		fmt.Fprintf(os.Stderr, "%s: round %d of %d:", progress, round, n)
		for i, rt := range b.runtimes {
			if i == 2 && res.peerErr != nil {
				continue
			}
			got, err := b.measure(r, rt)
			if err == nil && len(got) == 0 {
				err = errors.New("no figure")
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", rt.name, err)
				if i == 2 {
					res.peerErr = err
				} else {
					res.err = err
				}
				fmt.Fprintf(os.Stderr, " %v", err)
				continue
			}
			for _, s := range got {
				res.figures[i][s.at] = append(res.figures[i][s.at], s.value)
			}
			fmt.Fprintf(os.Stderr, " %s %s", rt.name, r.format(got[len(got)-1].value))
		}
		fmt.Fprintln(os.Stderr)
	}
	return res
}

// lacks says what this machine lacks for a row, the empty string if nothing.
func (b *bench) lacks(r row) string {
	if r.root && os.Geteuid() != 0 {
		return "needs root"
	}
	for _, name := range r.needs {
		if !b.has(name) {
			return name + " is not installed"
		}
	}
	return ""
}

func (b *bench) measure(r row, rt *runtime) ([]sample, error) {
	if r.measure != nil {
		return r.measure(b, rt)
	}
	return b.script(r, rt)
}
