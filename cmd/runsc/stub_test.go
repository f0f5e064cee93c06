package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary is runsc too.
func TestMain(m *testing.M) {
	if os.Getenv("CORDON_TEST_RUNSC") != "" || os.Getenv("CORDON_ZONE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// descendants lists processes below pid.
func descendants(pid int) (all []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		for _, w := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(w); err == nil {
				all = append(append(all, n), descendants(n)...)
			}
		}
	}
	return all
}

// status returns fields of /proc/PID/status.
func status(pid int) map[string]string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(line, ":")
		out[k] = strings.TrimSpace(v)
	}
	return out
}

// Every process of a sandbox but the one that the caller started runs under a
// filter; those below the Sentry, which run guest code, have no rights at all.
func TestStubsHaveNoRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to read what other users' processes may do")
	}
	if _, err := os.Stat("/bin/cat"); err != nil {
		t.Skip("there is no /bin/cat to run")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "--root", t.TempDir(), "do", "/bin/cat")
	cmd.Env = append(os.Environ(), "CORDON_TEST_RUNSC=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "are you there?")
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "are you there?\n" {
		t.Fatalf("the guest said %q, %v", line, err)
	}
	stubs := 0
	for _, pid := range descendants(cmd.Process.Pid) {
		s := status(pid)
		if s == nil {
			continue // ended since
		}
		if s["Seccomp"] != "2" || s["NoNewPrivs"] != "1" {
			t.Errorf("process %d (%s) has seccomp mode %s, no_new_privs %s", pid, s["Name"], s["Seccomp"], s["NoNewPrivs"])
		}
		if s["Name"] != "cordon-stub" {
			continue
		}
		stubs++
		for _, set := range []string{"CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"} {
			if strings.Trim(s[set], "0") != "" {
				t.Errorf("stub %d has %s %s", pid, set, s[set])
			}
		}
		if entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root", pid)); err == nil && len(entries) != 0 {
			t.Errorf("the root of stub %d holds %d entries", pid, len(entries))
		}
	}
	if stubs == 0 {
		t.Error("no stub was seen")
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
