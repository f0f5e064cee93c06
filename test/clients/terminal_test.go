package clients

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"cordon/runsc/console"

	"golang.org/x/sys/unix"
)

// A terminal is a program in the world on a terminal.
type terminal struct {
	w      *world
	master *os.File
	cmd    *exec.Cmd
	done   chan struct{}

	mu    sync.Mutex
	shown strings.Builder // guarded by mu
	seen  int             // guarded by mu: what expect has looked at
}

// terminal starts a program on a new terminal of 24 rows and 80 columns.
func (w *world) terminal(args ...string) *terminal {
	w.Helper()
	master, slave, err := console.NewPTY(24, 80)
	if err != nil {
		w.Fatal(err)
	}
	defer slave.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	w.Cleanup(cancel)
	x := &terminal{w: w, master: master, cmd: w.command(ctx, args...), done: make(chan struct{})}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { master.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			x.mu.Lock()
			x.shown.Write(buf[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		x.cmd.Wait()
		close(x.done)
	}()
	return x
}

// typed sends text and Return.
func (x *terminal) typed(text string) {
	x.w.Helper()
	if _, err := x.master.WriteString(text + "\r"); err != nil {
		x.w.Fatal(err)
	}
}

// expect waits until the terminal shows text that it has not matched before.
func (x *terminal) expect(text string) {
	x.w.Helper()
	deadline := time.Now().Add(commandTimeout)
	for {
		x.mu.Lock()
		shown := x.shown.String()
		i := strings.Index(shown[x.seen:], text)
		if i >= 0 {
			x.seen += i + len(text)
		}
		x.mu.Unlock()
		if i >= 0 {
			return
		}
		if time.Now().After(deadline) {
			x.w.dump("the terminal does not show " + text)
			x.w.Fatalf("the terminal shows %q, not %q", clip(shown), text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// resize changes the terminal's size, which its programs are told.
func (x *terminal) resize(rows, cols uint16) {
	x.w.Helper()
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		x.w.Fatal(err)
	}
}

// exit waits for the program's end and returns its exit code.
func (x *terminal) exit() int {
	x.w.Helper()
	select {
	case <-x.done:
	case <-time.After(commandTimeout):
		x.w.dump("the program on the terminal does not end")
		x.w.Fatalf("the program on the terminal does not end; it shows %q", clip(x.shown.String()))
	}
	return x.cmd.ProcessState.ExitCode()
}
