package apps

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTerminal(t *testing.T) {
	s := newSandbox(t)
	for _, a := range load(t, "*.pty") {
		t.Run(a.name, func(t *testing.T) {
			a.require(t, "/")
			dir := t.TempDir()
			command, steps := a.body[0], a.body[1:]

			cmd := exec.Command("bash", "-c", "exec "+command)
			cmd.Dir, cmd.Env = dir, environment(dir, nativeEach)
			want, err := converse(cmd, steps, a.limit, func(int) {})
			if err != nil {
				t.Fatalf("on the host: %v", err)
			}
			clear(t, dir)

			cmd = s.do("bash", "-c", "exec "+command)
			cmd.Dir, cmd.Env = dir, environment(dir, sandboxEach)
			got, err := converse(cmd, steps, a.limit, func(pid int) { s.explain(t, doID(pid)) })
			if err != nil {
				t.Errorf("in the sandbox: %v", err)
			}
			if got != want {
				t.Errorf("exit code is %d, on the host %d", got, want)
			}
		})
	}
}

// converse runs a command on a terminal of its own and types into it as steps
// say. It returns the exit code.
func converse(cmd *exec.Cmd, steps []string, limit time.Duration, onTimeout func(pid int)) (int, error) {
	master, slave, err := openTerminal()
	if err != nil {
		return 0, err
	}
	defer master.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()

	screen := make(chan []byte)
	go func() {
		defer close(screen)
		for {
			b := make([]byte, 4096)
			n, err := master.Read(b)
			if n > 0 {
				screen <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	c := &conversation{terminal: master, screen: screen, deadline: time.After(limit)}
	talkErr := c.play(steps)
	if talkErr == nil {
		talkErr = c.drain()
	}
	if talkErr != nil {
		onTimeout(cmd.Process.Pid)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	select {
	case <-done:
	case <-time.After(limit):
		onTimeout(cmd.Process.Pid)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		talkErr = errors.Join(talkErr, errors.New("no end after the conversation"))
	}
	return cmd.ProcessState.ExitCode(), talkErr
}

type conversation struct {
	terminal *os.File
	screen   <-chan []byte
	deadline <-chan time.Time

	seen string // not yet matched
	all  string
}

func (c *conversation) play(steps []string) error {
	for _, s := range steps {
		kind, text := s[:1], strings.TrimPrefix(s[1:], " ")
		switch kind {
		case ">":
			c.terminal.WriteString(text + "\r")
		case "^":
			c.terminal.Write([]byte{text[0] & 0x1f})
		case "<":
			if err := c.await(text); err != nil {
				return err
			}
		default:
			return fmt.Errorf("cannot read the step %q", s)
		}
	}
	return nil
}

func (c *conversation) await(expression string) error {
	re, err := regexp.Compile("(?s)" + expression)
	if err != nil {
		return err
	}
	for {
		if at := re.FindStringIndex(c.seen); at != nil {
			c.seen = c.seen[at[1]:]
			return nil
		}
		select {
		case b, ok := <-c.screen:
			if !ok {
				return fmt.Errorf("the terminal was closed before %q; it showed %q", expression, c.all)
			}
			c.seen += string(b)
			c.all += string(b)
		case <-c.deadline:
			return fmt.Errorf("the terminal did not show %q; after what was found before: %q; in all: %q", expression, c.seen, c.all)
		}
	}
}

// drain reads until the other side of the terminal is closed.
func (c *conversation) drain() error {
	for {
		select {
		case b, ok := <-c.screen:
			if !ok {
				return nil
			}
			c.all += string(b)
		case <-c.deadline:
			return fmt.Errorf("the program did not end; it showed %q", c.all)
		}
	}
}

func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}
