package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// profiler is what records: perf(1), whose samples of the CPU clock need no
// counters of a processor. It records the whole machine, from which the processes
// of sandboxes are picked by name: following the children of one process makes each
// fork and exit of a guest 20 times as slow.
var profiler = strings.Fields("perf record -q -a -e cpu-clock -F 4999 -g -o")

// profile runs each row once in a sandbox below perf, and writes for each where
// the CPU time went, of all sandboxes that run: KEY.folded has whole stacks, as tools that draw flames want
// them, KEY.txt tables of them.
func (b *bench) profile(rows []row, dir string) error {
	if _, err := exec.LookPath(profiler[0]); err != nil {
		return errors.New("a profile needs perf(1), which is not installed (Debian: apt-get install linux-perf)")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, r := range rows {
		base := filepath.Join(dir, r.key)
		data := base + ".data"
		rt := &runtime{name: "cordon", command: slices.Concat(profiler, []string{data, "--"}, b.runtimes[1].command)}
		got, err := b.measure(r, rt)
		if err != nil {
			return fmt.Errorf("%s: %w", r.key, err)
		}
		p, err := readProfile(data, filepath.Base(*runsc))
		if err != nil {
			return fmt.Errorf("%s: %w", r.key, err)
		}
		var head strings.Builder
		fmt.Fprintf(&head, "%s (%s)", r.text, r.key)
		if r.script != "" {
			fmt.Fprintf(&head, ": %s below perf", r.format(got[len(got)-1].value))
		}
		fmt.Fprintln(&head)
		if err := errors.Join(writeTo(base+".txt", func(w io.Writer) { p.print(w, head.String()) }), writeTo(base+".folded", p.fold)); err != nil {
			return err
		}
		p.print(os.Stdout, head.String())
		fmt.Printf("\nstacks: %s.folded, samples: %s\n\n", base, data)
	}
	return nil
}

func writeTo(path string, write func(io.Writer)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	write(w)
	return errors.Join(w.Flush(), f.Close())
}

// A stack is a sample's frames, the innermost first.
type stack struct {
	comm   string
	pid    string
	frames []frame
}

type frame struct {
	name   string
	kernel bool
}

// A samples is one recording.
type samples struct {
	stacks []stack
	roles  map[string]string // by pid: what the process is
	all    int               // samples of the machine,
	idle   int               // and of processors with nothing to do
}

// readProfile reads a recording; command is the runtime's name.
func readProfile(data, command string) (*samples, error) {
	cmd := exec.Command("perf", "script", "--no-inline", "-F", "comm,pid,ip,sym", "-i", data)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := parseSamples(out, command)
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("perf script: %v%s", err, tail(errs.String()))
	}
	if len(p.stacks) == 0 {
		return nil, errors.New("perf has recorded nothing")
	}
	return p, nil
}

// parseSamples reads what perf script prints: a line with name and process, a line
// for each frame, an empty one. Sandboxes are processes named command and cordon-stub, and
// those that run code of a Sentry or a gofer, which have the names of their programs.
func parseSamples(in io.Reader, command string) *samples {
	const commLen = 15
	ours := []string{command[:min(len(command), commLen)], "cordon-stub"}
	p := &samples{roles: map[string]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var now *stack
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 0:
			now = nil
		case now == nil:
			last := len(f) - 1
			now = &stack{comm: strings.Join(f[:last], " "), pid: f[last]}
			p.all++
			if now.comm == "swapper" {
				p.idle++
			}
			p.stacks = append(p.stacks, *now)
			now = &p.stacks[len(p.stacks)-1]
		default:
			now.frames = append(now.frames, parseFrame(f))
		}
	}
	for i := range p.stacks {
		p.learn(&p.stacks[i])
	}
	// Others, and another sandbox's, whose binary has no symbols.
	p.stacks = slices.DeleteFunc(p.stacks, func(s stack) bool { return !slices.Contains(ours, s.comm) && p.roles[s.pid] == "" })
	return p
}

func parseFrame(f []string) frame {
	name := strings.Join(f[1:], " ")
	kernel := len(f[0]) == 16 && strings.HasPrefix(f[0], "ffff")
	if name == "" || name == "[unknown]" {
		// Code that nobody named differs in its page.
		name = "0x" + f[0][:max(0, len(f[0])-3)] + "..."
	}
	return frame{name, kernel}
}

// learn finds out what a process is, from its name or from what it runs.
func (p *samples) learn(s *stack) {
	if s.comm == "cordon-stub" {
		p.roles[s.pid] = "guest"
		return
	}
	for _, f := range s.frames {
		switch {
		case strings.HasPrefix(f.name, "cordon/sentry"):
			p.roles[s.pid] = "Sentry"
		case strings.HasPrefix(f.name, "cordon/gofer/server"):
			p.roles[s.pid] = "gofer"
		}
	}
}

func (p *samples) role(s *stack) string {
	return cmp.Or(p.roles[s.pid], s.comm)
}

func (s *stack) kernel() bool { return len(s.frames) > 0 && s.frames[0].kernel }

// fold writes a line for each different stack, the outermost frame first, and how
// often it was seen.
func (p *samples) fold(w io.Writer) {
	counts := map[string]int{}
	for i := range p.stacks {
		s := &p.stacks[i]
		words := []string{p.role(s)}
		for _, f := range slices.Backward(s.frames) {
			name := strings.ReplaceAll(f.name, ";", ":")
			if f.kernel {
				name += "_[k]"
			}
			words = append(words, name)
		}
		counts[strings.Join(words, ";")]++
	}
	for _, line := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s %d\n", line, counts[line])
	}
}

// tableLines is how long a table of functions is.
const tableLines = 30

// purposes are what time goes to that no single function shows: a sample has one
// if any of its frames has a part of the name. They overlap.
var purposes = []struct {
	title string
	parts []string
}{
	{"handlers of system calls", []string{"syscalls.(*Calls).Call"}},
	{"giving guests their turn and waiting for it", []string{"systrap.(*Context).Switch", "ptrace.(*Context).Switch"}},
	{"futexes of the host", []string{"futex"}},
	{"switches of threads", []string{"__schedule", "finish_task_switch"}},
	{"page faults", []string{"exc_page_fault"}},
	{"signals of the host", []string{"rt_sigreturn", "get_signal", "force_sig", "arch_do_signal"}},
	{"mappings made by stubs' leaders, waiting for it", []string{"obeyLocked"}},
	{"making and ending processes and threads of the host", []string{"do_exit", "kernel_clone", "do_execve"}},
	{"allocation and its collector", []string{"runtime.mallocgc", "runtime.gcDrain", "runtime.gcBgMark", "runtime.bgsweep"}},
	{"Go's scheduler", []string{"runtime.schedule", "runtime.findRunnable", "runtime.sysmon", "runtime.exitsyscall", "runtime.handoffp"}},
}

func (p *samples) byPurpose() map[string]int {
	counts := map[string]int{}
	for i := range p.stacks {
		for _, u := range purposes {
			if p.role(&p.stacks[i]) == "guest" && strings.HasPrefix(u.parts[0], "runtime.") {
				continue // a guest in Go
			}
			has := func(f frame) bool {
				return slices.ContainsFunc(u.parts, func(part string) bool { return strings.Contains(f.name, part) })
			}
			if slices.ContainsFunc(p.stacks[i].frames, has) {
				counts[u.title]++
			}
		}
	}
	return counts
}

// print writes the tables: by process, by purpose, by function that ran, and by function of
// ours that ran or called what ran.
func (p *samples) print(w io.Writer, head string) {
	fmt.Fprintf(w, "%s%d samples, each 0.2 ms of CPU time; all processors: %.0f %% idle, %.0f %% in other processes\n\n", head,
		len(p.stacks), p.part(p.idle, p.all), p.part(p.all-p.idle-len(p.stacks), p.all))
	by, self, under := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range p.stacks {
		s := &p.stacks[i]
		role := p.role(s)
		where := "user"
		if s.kernel() {
			where = "host kernel"
		}
		by[role+", "+where]++
		if len(s.frames) == 0 {
			continue
		}
		self[role+"  "+s.frames[0].name]++
		seen := map[string]bool{}
		for _, f := range s.frames {
			if strings.HasPrefix(f.name, "cordon/") && !seen[f.name] {
				seen[f.name] = true
				under[role+"  "+f.name]++
			}
		}
	}
	p.table(w, "process", by)
	p.table(w, "purpose", p.byPurpose())
	p.table(w, "function, itself", self)
	p.table(w, "function of ours, with what it calls", under)
}

func (p *samples) table(w io.Writer, title string, counts map[string]int) {
	names := slices.Collect(maps.Keys(counts))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	fmt.Fprintf(w, "  %%  %s\n", title)
	for _, name := range names[:min(len(names), tableLines)] {
		fmt.Fprintf(w, "%5.1f  %s\n", p.part(counts[name], len(p.stacks)), name)
	}
	fmt.Fprintln(w)
}

// part is n of all in percent.
func (p *samples) part(n, all int) float64 { return 100 * float64(n) / float64(max(1, all)) }
