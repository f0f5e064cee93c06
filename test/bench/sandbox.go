package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// starts is how often a round starts a sandbox.
const starts = 5

func (b *bench) start(rt *runtime) ([]sample, error) {
	var got []sample
	for range starts {
		v, err := startOne(rt)
		if err != nil {
			return nil, err
		}
		got = append(got, sample{value: v})
	}
	return got, nil
}

// startOne runs /bin/true and returns its nanoseconds from start to exit.
func startOne(rt *runtime) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var errs bytes.Buffer
	cmd := rt.cmd(ctx, "/bin/true")
	cmd.Stderr = &errs
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%v%s", err, tail(errs.String()))
	}
	return float64(time.Since(begin)), nil
}

// A sleeper is a running program that does nothing.
type sleeper struct {
	cmd    *exec.Cmd
	cancel func()
}

// sleep starts a program that does nothing and waits until it does.
func (b *bench) sleep(rt *runtime) (*sleeper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := rt.cmd(ctx, filepath.Join(b.dir, "costs"), "idle")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	s := &sleeper{cmd, cancel}
	watchdog := time.AfterFunc(*timeout, cancel)
	_, err = bufio.NewReader(out).ReadString('\n')
	watchdog.Stop()
	if err != nil {
		s.end()
		return nil, fmt.Errorf("%v%s", err, tail(errs.String()))
	}
	return s, nil
}

func (s *sleeper) end() {
	s.cancel()
	s.cmd.Wait() // it was killed
}

// settle is how long what a sandbox started with may take to end.
const settle = time.Second

// idleMemory adds up the memory of all processes that a sleeping program needs.
func (b *bench) idleMemory(rt *runtime) ([]sample, error) {
	s, err := b.sleep(rt)
	if err != nil {
		return nil, err
	}
	defer s.end()
	time.Sleep(settle)
	v, err := s.memory(rt, "Pss:")
	return []sample{{value: v}}, err
}

// memory adds up some figures of smaps_rollup of all its processes.
func (s *sleeper) memory(rt *runtime, figures ...string) (float64, error) {
	total := 0.0
	for _, pid := range family(s.cmd.Process.Pid) {
		v, err := rollup(pid, figures)
		if err != nil {
			return 0, err
		}
		total += v
		if os.Getenv("BENCH_PROCESSES") != "" {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			fmt.Fprintf(os.Stderr, "%s: %6.2f MB %q\n", rt.name, v/1e6, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	return total, nil
}

// idleCPU is the CPU time that all processes of a sleeping program spend.
func (b *bench) idleCPU(rt *runtime) ([]sample, error) {
	s, err := b.sleep(rt)
	if err != nil {
		return nil, err
	}
	defer s.end()
	time.Sleep(settle)
	return []sample{{value: idleTime(family(s.cmd.Process.Pid))}}, nil
}

// idleTime is the CPU time that processes spend in a minute, or in less and then
// scaled to one.
func idleTime(pids []int) float64 {
	before := cpuTime(pids)
	time.Sleep(time.Duration(*idleSecs) * time.Second)
	return (cpuTime(pids) - before) * 60 / float64(*idleSecs)
}

// cpuTime is the nanoseconds that all threads of the processes have run. The
// scheduler's figures are exact; where it keeps none, ticks are not.
func cpuTime(pids []int) float64 {
	total := 0.0
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, t := range threads {
			data, _ := os.ReadFile(t)
			if f := strings.Fields(string(data)); len(f) > 0 {
				v, _ := strconv.ParseFloat(f[0], 64)
				total += v
			}
		}
		if len(threads) > 0 {
			continue
		}
		if f := statFields(pid); len(f) > 12 {
			for _, ticks := range f[11:13] {
				v, _ := strconv.ParseFloat(ticks, 64)
				total += v * 1e7
			}
		}
	}
	return total
}

// statFields are those of /proc/PID/stat from the state on; none if it is gone.
func statFields(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// family lists a process and all its descendants.
func family(pid int) []int {
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		child, _ := strconv.Atoi(filepath.Base(d))
		if f := statFields(child); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// rollup is the sum in bytes of some figures of /proc/PID/smaps_rollup.
func rollup(pid int, figures []string) (total float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	found := 0
	for l := range strings.Lines(string(data)) {
		if f := strings.Fields(l); len(f) > 1 && slices.Contains(figures, f[0]) {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0, err
			}
			total += kb * 1024
			found++
		}
	}
	if found != len(figures) {
		return 0, fmt.Errorf("process %d has %d of the figures %v", pid, found, figures)
	}
	return total, nil
}

// among runs measure when sizes sandboxes sleep.
func (b *bench) among(rt *runtime, sizes []int, measure func(all []*sleeper) (float64, error)) ([]sample, error) {
	var all []*sleeper
	defer func() {
		for _, s := range all {
			s.end()
		}
	}()
	var got []sample
	for _, n := range sizes {
		for len(all) < n {
			s, err := b.sleep(rt)
			if err != nil {
				return nil, fmt.Errorf("number %d: %w", len(all)+1, err)
			}
			all = append(all, s)
		}
		time.Sleep(settle)
		v, err := measure(all)
		if err != nil {
			return nil, err
		}
		got = append(got, sample{n, v})
	}
	return got, nil
}

// startAmong starts one more while others sleep.
func startAmong(sizes []int) func(*bench, *runtime) ([]sample, error) {
	return func(b *bench, rt *runtime) ([]sample, error) {
		return b.among(rt, sizes, func([]*sleeper) (float64, error) {
			var v []float64
			for range 2*starts + 1 {
				one, err := startOne(rt)
				if err != nil {
					return 0, err
				}
				v = append(v, one)
			}
			return median(v), nil
		})
	}
}

// memoryAmong is what each of some sandboxes has of its own: pages of files, which
// all share, are there once however many there are, so that their share of each
// falls, and more so where they are most of it.
func memoryAmong(sizes []int) func(*bench, *runtime) ([]sample, error) {
	return func(b *bench, rt *runtime) ([]sample, error) {
		return b.among(rt, sizes, func(all []*sleeper) (float64, error) {
			total := 0.0
			for _, s := range all {
				v, err := s.memory(rt, "Pss_Anon:", "Pss_Shmem:")
				if err != nil {
					return 0, err
				}
				total += v
			}
			return total / float64(len(all)), nil
		})
	}
}

// cpuAmong is the CPU time that each of some sandboxes spends doing nothing.
func cpuAmong(sizes []int) func(*bench, *runtime) ([]sample, error) {
	return func(b *bench, rt *runtime) ([]sample, error) {
		return b.among(rt, sizes, func(all []*sleeper) (float64, error) {
			var pids []int
			for _, s := range all {
				pids = append(pids, family(s.cmd.Process.Pid)...)
			}
			return idleTime(pids) / float64(len(all)), nil
		})
	}
}
