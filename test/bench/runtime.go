package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A runtime is where a program is run: on the host, or below a command.
type runtime struct {
	name    string
	command []string
	figures map[string][]float64
}

// starts is how often a round starts a sandbox.
const starts = 5

func (rt *runtime) add(key string, v float64) {
	if rt.figures == nil {
		rt.figures = map[string][]float64{}
	}
	rt.figures[key] = append(rt.figures[key], v)
}

func (rt *runtime) median(key string) float64 {
	v := slices.Clone(rt.figures[key])
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func (rt *runtime) cmd(args ...string) *exec.Cmd {
	args = append(slices.Clone(rt.command), args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	return cmd
}

// round measures every row once.
func (rt *runtime) round(guest string, rows []row) error {
	inside := []string{guest}
	for _, r := range rows {
		switch r.key {
		case "start":
			if err := rt.start(); err != nil {
				return err
			}
		case "idle":
			if err := rt.idle(guest); err != nil {
				return err
			}
		default:
			inside = append(inside, r.key)
		}
	}
	if len(inside) == 1 {
		return nil
	}
	out, err := rt.cmd(inside...).Output()
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(l), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return err
		}
		rt.add(key, v)
	}
	return nil
}

func (rt *runtime) start() error {
	for range starts {
		begin := time.Now()
		if err := rt.cmd("/bin/true").Run(); err != nil {
			return err
		}
		rt.add("start", float64(time.Since(begin)))
	}
	return nil
}

// idle adds up the memory of all processes that a sleeping program needs.
func (rt *runtime) idle(guest string) error {
	cmd := rt.cmd(guest, "idle")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return err
	}
	time.Sleep(time.Second) // it is idle when what it started with is done
	total := 0.0
	for _, pid := range family(cmd.Process.Pid) {
		v, err := pss(pid)
		if err != nil {
			return err
		}
		total += v
		if os.Getenv("BENCH_PROCESSES") != "" {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			fmt.Fprintf(os.Stderr, "%s: %6.2f MB %q\n", rt.name, v/1e6, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	rt.add("idle", total)
	return nil
}

// family lists a process and all its descendants.
func family(pid int) []int {
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		stat, err := os.ReadFile(d + "/stat")
		if err != nil {
			continue // gone
		}
		child, _ := strconv.Atoi(filepath.Base(d))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

func pss(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(data)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "Pss:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no proportional set size", pid)
}
