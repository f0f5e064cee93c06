package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"cordon/runsc/console"

	"golang.org/x/sys/unix"
)

// A command on a terminal puts it into raw mode, passes its size on, and puts
// it back at the end.
func TestDoOnTerminal(t *testing.T) {
	e := newEnv(t)
	master, slave, err := console.NewPTY(24, 80)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	// As a shell leaves it.
	cooked, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cooked.Oflag |= unix.OPOST | unix.ONLCR
	cooked.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, cooked); err != nil {
		t.Fatal(err)
	}
	cmd := e.cmd("do", "wait", "4")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		var got bytes.Buffer
		buf := make([]byte, 256)
		for !strings.HasSuffix(got.String(), "\n") {
			n, err := master.Read(buf)
			if err != nil {
				t.Fatalf("after %q: %v", got.String(), err)
			}
			got.Write(buf[:n])
		}
		if got.String() != want {
			t.Fatalf("the terminal shows %q, not %q", got.String(), want)
		}
	}
	expect("ready\n") // raw: no carriage return
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 90}); err != nil {
		t.Fatal(err)
	}
	expect("resized\n")
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := exitCode(cmd); code != 4 {
		t.Errorf("exit code %d", code)
	}
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if after.Lflag&unix.ICANON == 0 || after.Oflag&unix.OPOST == 0 {
		t.Error("the terminal is left in raw mode")
	}
}

// --memory is a cgroup for the time of the command.
func TestDoMemory(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	const tree = "/sys/fs/cgroup/memory"
	if _, err := os.Stat(tree + "/memory.limit_in_bytes"); err != nil {
		t.Skip("no cgroup version 1 hierarchy for memory is mounted")
	}
	if s := e.doSpec("--memory", "64m"); s.MemoryLimit != 64<<20 {
		t.Errorf("the limit is %d", s.MemoryLimit)
	}
	bootPID, _, stop := e.running("--memory", "64m")
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", bootPID))
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	for line := range strings.Lines(string(data)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); f[1] == "memory" {
			dir = tree + f[2]
		}
	}
	if !contains(dir+"/memory.limit_in_bytes", "67108864\n") {
		t.Errorf("%s has another limit", dir)
	}
	stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}
