package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"cordon/runsc/boot"
	"cordon/runsc/console"
	"cordon/runsc/container"

	"golang.org/x/sys/unix"
)

// A program that `exec --detach` started has a host process of its own, the
// monitor: it carries the pid that clients know the program by, passes signals
// on, and ends with the program's exit code. It is this binary, with
//
//	0, 1, 2  the program's standard files
//	3        a pipe on which it says that the program runs, or why not
//	4        a pipe with the boot.Process as JSON
//	5...     what else the program gets, as many as the second argument says
//
// If it is killed, so is the program.

const (
	fdMonitorReport  = 3
	fdMonitorProcess = 4
	fdMonitorPassed  = 5
)

// detached is exec with --detach.
func (e *execFlags) detached(g *globals, c *container.Container, p *boot.Process) error {
	stdio, done, err := e.monitorStdio(p)
	if err != nil {
		return err
	}
	defer done()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reportR.Close()
	defer reportW.Close()
	processR, processW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer processR.Close()
	attr := &syscall.SysProcAttr{Setsid: true}
	if p.Terminal {
		// So that it learns of new sizes.
		attr.Setctty = true
	}
	child, err := os.StartProcess("/proc/self/exe", []string{"runsc", "--root", g.root, "monitor", c.State.ID, strconv.Itoa(len(e.passed.files))}, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Sys: attr,
		Files: append([]*os.File{stdio[0], stdio[1], stdio[2], reportW, processR}, e.passed.files...),
	})
	if err != nil {
		processW.Close()
		return err
	}
	reportW.Close()
	err = json.NewEncoder(processW).Encode(p)
	processW.Close()
	if err == nil {
		err = monitorReport(reportR)
	}
	if err == nil && e.pidFile != "" {
		err = container.WritePIDFile(e.pidFile, child.Pid)
	}
	if err != nil {
		child.Kill()
		child.Wait()
	}
	return err
}

// monitorStdio are the program's standard files: ours, or a new terminal.
func (e *execFlags) monitorStdio(p *boot.Process) (stdio [3]*os.File, done func(), err error) {
	switch {
	case !p.Terminal && e.consoleSocket != "":
		return stdio, nil, errors.New("cannot use console socket if runsc will not detach or allocate tty")
	case !p.Terminal:
		return [3]*os.File{os.Stdin, os.Stdout, os.Stderr}, func() {}, nil
	case e.consoleSocket == "":
		return stdio, nil, errors.New("cannot allocate tty if runsc will detach without setting console socket")
	}
	master, slave, err := console.NewPTY(p.Rows, p.Cols)
	if err != nil {
		return stdio, nil, err
	}
	defer master.Close()
	if err := console.Send(e.consoleSocket, master); err != nil {
		slave.Close()
		return stdio, nil, err
	}
	return [3]*os.File{slave, slave, slave}, func() { slave.Close() }, nil
}

func monitorReport(r *os.File) error {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	switch {
	case err != nil:
		return err
	case len(text) == 0:
		return errors.New("the monitor of the program ended")
	case text[0] != '+':
		return errors.New(string(text))
	}
	return nil
}

func monitorCommand() *command {
	return &command{name: "monitor", hidden: true, summary: "the host process of a detached program", minArgs: 2, maxArgs: 2,
		flags: func(*flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) {
				report := os.NewFile(fdMonitorReport, "report")
				code, err := monitor(g, args[0], args[1], report)
				if err != nil {
					// Standard error is the program's.
					fmt.Fprint(report, err.Error())
					return exitFailure, nil
				}
				return code, nil
			}
		}}
}

func monitor(g *globals, id, count string, report *os.File) (int, error) {
	sigs := make(chan os.Signal, 64)
	signal.Notify(sigs)
	signal.Reset(syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE)
	var p boot.Process
	input := os.NewFile(fdMonitorProcess, "process")
	if err := json.NewDecoder(input).Decode(&p); err != nil {
		return 0, err
	}
	input.Close()
	c, err := g.store().Load(id)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return 0, err
	}
	passed := &passing{}
	for i := range n {
		passed.files = append(passed.files, os.NewFile(uintptr(fdMonitorPassed+i), "passed"))
	}
	cl, pid, err := execIn(c, &p, [3]*os.File{os.Stdin, os.Stdout, os.Stderr}, passed.files...)
	passed.close()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if err := leaveStdio(p.Terminal); err != nil {
		return 0, err
	}
	fmt.Fprint(report, "+")
	report.Close()
	stop := forwardSignals(sigs, c, pid, p.Terminal)
	defer stop()
	return waitIn(cl, pid)
}

// leaveStdio lets go of the program's standard files, so that whoever reads
// them sees the program's end. A terminal is kept as standard input, for its
// size.
func leaveStdio(terminal bool) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if fd == 0 && terminal {
			continue
		}
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}
