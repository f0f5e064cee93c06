package main

import (
	"bufio"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed guest/calls.c
var guestSource string

var (
	runsc    = flag.String("runsc", "bin/runsc", "the runtime")
	platform = flag.String("platform", "", "its platform; empty for the default")
	duration = flag.Duration("t", 10*time.Minute, "how long to call")
	seed     = flag.Uint64("seed", uint64(time.Now().Unix())*1000, "the first round's seed")
	children = flag.Int("children", 2, "children at a time")
	only     = flag.String("calls", "", "only these calls, with commas between")
	keep     = flag.String("keep", "", "a file for a finding's output")
	native   = flag.Bool("native", false, "test the program itself on the host instead (it kills every process it may)")
)

// lifetime is how long a sandbox is used: children leave it in disorder.
const lifetime = 30 * time.Second

// quiet is how long the guest may say nothing.
const quiet = 20 * time.Second

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz/syscalls:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "cordon-fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	values, err := constants("internal/linux")
	if err != nil {
		return err
	}
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	n, err := (&grammar{constants: values}).write(filepath.Join(dir, "grammar"), names)
	if err != nil {
		return err
	}
	if err := build(dir); err != nil {
		return err
	}
	fmt.Printf("%d calls, %v, from seed %d\n", n, *duration, *seed)
	end, next := time.Now().Add(*duration), *seed
	sandboxes := 0
	for time.Now().Before(end) {
		last, err := sandbox(dir, next, min(time.Until(end), lifetime))
		sandboxes++
		if err != nil {
			return fmt.Errorf("round %d (run again with -seed %d -children %d): %w", last, max(last, 3)-3, *children, err)
		}
		next = last + 1
	}
	fmt.Printf("%d rounds in %d sandboxes: no panic, no hang\n", next-*seed, sandboxes)
	return nil
}

func build(dir string) error {
	src := filepath.Join(dir, "calls.c")
	if err := os.WriteFile(src, []byte(guestSource), 0o644); err != nil {
		return err
	}
	out, err := exec.Command("gcc", "-O1", "-static", "-o", filepath.Join(dir, "calls"), src, "-lpthread").CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %v\n%s", err, out)
	}
	return nil
}

// sandbox runs rounds from the seed on for a time, and returns the last one.
func sandbox(dir string, from uint64, d time.Duration) (last uint64, err error) {
	args := []string{}
	if *platform != "" {
		args = append(args, "--platform", *platform)
	}
	args = append([]string{"do"}, append(args, "--memory", "3g", "--cwd", "/tmp", "--bind", dir+":/fuzz:ro",
		"--tmpfs", "/tmp", "/fuzz/calls", "/fuzz/grammar", fmt.Sprint(from), fmt.Sprint(*children))...)
	cmd := exec.Command(*runsc, args...)
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	log, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return from, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return from, err
	}
	if err := cmd.Start(); err != nil {
		return from, err
	}
	lines := make(chan string)
	go scan(out, lines)
	last, finding := watch(cmd, lines, from, d)
	if finding != "" {
		return last, report(log.Name(), finding)
	}
	return last, nil
}

func scan(r io.Reader, lines chan<- string) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		lines <- sc.Text()
	}
	close(lines)
}

// watch follows a sandbox until its time is over or it shows something.
func watch(cmd *exec.Cmd, lines <-chan string, from uint64, d time.Duration) (last uint64, finding string) {
	last = from
	over, silent := time.After(d), time.NewTimer(quiet)
	heard := time.Now()
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return last, ended(cmd)
			}
			silent.Reset(quiet)
			heard = time.Now()
			// Children find ways to write there too: what is not process 1's is
			// left out.
			if _, number, ok := strings.Cut(l, "round "); ok {
				fmt.Sscan(number, &last)
			} else if strings.Contains(l, "stuck ") || strings.Contains(l, "fork: ") {
				dump(cmd)
				return last, "the guest says: " + l
			}
		case <-over:
			if time.Since(heard) > quiet/2 {
				over = nil // wait for the end of the silence
				continue
			}
			cmd.Process.Kill()
			cmd.Wait()
			return last, ""
		case <-silent.C:
			dump(cmd)
			return last, "the sandbox hangs"
		}
	}
}

// ended judges how a sandbox ended by itself. A guest that was killed by one of
// its own children is none of the Sentry's faults.
func ended(cmd *exec.Cmd) string {
	cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	if code == 128+int(syscall.SIGKILL) {
		return ""
	}
	return fmt.Sprintf("the sandbox ended with code %d", code)
}

// dump makes the Sentry print its goroutines, and ends the sandbox.
func dump(cmd *exec.Cmd) {
	if pid := bootProcess(cmd.Process.Pid); pid > 0 {
		syscall.Kill(pid, syscall.SIGABRT)
		time.Sleep(3 * time.Second)
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// bootProcess finds the Sentry below the runtime's first process.
func bootProcess(parent int) int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		var pid, ppid int
		stat, _ := os.ReadFile(d + "/stat")
		fmt.Sscanf(string(stat), "%d", &pid)
		if i := strings.LastIndex(string(stat), ") "); i >= 0 {
			var state string
			fmt.Sscanf(string(stat[i+2:]), "%s %d", &state, &ppid)
		}
		cmdline, _ := os.ReadFile(d + "/cmdline")
		if ppid == parent && strings.Contains(string(cmdline), "\x00boot") {
			return pid
		}
	}
	return 0
}

// report shows the head of what the Sentry printed.
func report(log, finding string) error {
	data, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if *keep != "" {
		if err := os.WriteFile(*keep, data, 0o644); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s\n%s", finding, data[:min(len(data), 6000)])
}
