package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/console"
	"cordon/runsc/container"
	"cordon/runsc/control"
	"cordon/runsc/filter"
	"cordon/runsc/sandbox"
)

// prepare fills in what every sandbox gets: filters, log and trace.
func (g *globals) prepare(c *sandbox.Config) error {
	if g.logger.file != nil {
		c.Log = g.logger.file
	} else {
		c.Log = c.Errors
	}
	c.Trace = c.Log
	if g.noFilter {
		g.logger.warn("no system call filters: a broken Sentry can reach the host's kernel")
		return nil
	}
	var err error
	mode := filter.Mode{
		HostNetwork: c.Spec.Network == boot.NetworkHost,
		Links:       c.Spec.Network != boot.NetworkHost && c.Spec.Network != boot.NetworkNone,
		Ptrace:      c.Spec.Platform == "ptrace",
		Passed:      slices.ContainsFunc(c.Passed, isSocket),
	}
	if c.SentryFilter, err = filter.Sentry(mode).Program(); err != nil {
		return err
	}
	c.GoferFilter, err = filter.Gofer().Program()
	return err
}

// startFailure gives a failure to start the program a shell's exit code.
func startFailure(err error) error {
	var start *boot.StartError
	if !errors.As(err, &start) {
		return err
	}
	switch start.Kind {
	case boot.ErrNotFound:
		return &exitError{exitNotFound, err}
	case boot.ErrNotExecutable:
		return &exitError{exitNotExecutable, err}
	}
	return err
}

// createError says what failed, as runc does: clients look for the words of a
// program that cannot be started.
func createError(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, programError(err))
}

// programError is a failure to start the program in runc's words.
func programError(err error) error {
	var start *boot.StartError
	var call *control.Error
	message := ""
	switch {
	case errors.As(err, &start):
		message = start.Message
	case errors.As(err, &call) && (call.Kind == string(boot.ErrNotFound) || call.Kind == string(boot.ErrNotExecutable) || call.Kind == string(boot.ErrOther)):
		message = call.Message
	default:
		return err
	}
	// Go's names of errors are in lower case.
	if i := strings.LastIndex(message, ": "); i >= 0 && i+3 < len(message) && message[i+3] >= 'a' && message[i+3] <= 'z' {
		message = message[:i+2] + strings.ToLower(message[i+2:i+3]) + message[i+3:]
	}
	return fmt.Errorf("unable to start container process: %s", message)
}

// catchSignals takes the signals that are passed on to the guest.
func catchSignals() chan os.Signal {
	ch := make(chan os.Signal, 64)
	signal.Notify(ch, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGTSTP)
	return ch
}

// startPatience is how long a sandbox that is being made may go on after a
// signal. One that stands by then gets the signal.
const startPatience = time.Second

// createAttached creates a container whose parent we stay. A signal that would
// end a program ends it while it is being made, too: the program has had no
// chance to handle it.
func createAttached(g *globals, p *container.Params, sigs chan os.Signal) (*container.Container, *sandbox.Sandbox, error) {
	var boot atomic.Int64
	inner := p.BeforeRun
	p.BeforeRun = func(c *container.Container) error {
		boot.Store(int64(c.Maker()))
		if inner != nil {
			return inner(c)
		}
		return nil
	}
	done := make(chan struct{})
	pending := make(chan os.Signal, 1)
	go func() {
		defer close(pending)
		select {
		case s := <-sigs:
			pending <- s
			select {
			case <-time.After(startPatience):
				if pid := boot.Load(); pid != 0 && s != syscall.SIGWINCH && s != syscall.SIGTSTP {
					syscall.Kill(int(pid), syscall.SIGKILL)
				}
			case <-done:
			}
		case <-done:
		}
	}()
	c, box, err := g.store().Create(p)
	close(done)
	s := <-pending
	if s == nil {
		return c, box, err
	}
	if err == nil {
		sigs <- s // for the program
		return c, box, nil
	}
	return nil, nil, &exitError{128 + int(s.(syscall.Signal)), fmt.Errorf("%v while starting: %w", s, err)}
}

// forwardSignals passes signals on to process pid until stop is called.
func forwardSignals(ch chan os.Signal, c *container.Container, pid int32, terminal bool) (stop func()) {
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-ch:
				forwardOne(s.(syscall.Signal), c, pid, terminal)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
	}
}

func forwardOne(sig syscall.Signal, c *container.Container, pid int32, terminal bool) {
	var err error
	switch sig {
	case syscall.SIGWINCH:
		if terminal {
			rows, cols := console.Size(os.Stdin)
			err = c.Call(boot.OpResize, boot.ResizeArgs{PID: pid, Rows: rows, Cols: cols}, nil)
		}
	case syscall.SIGTSTP:
		if pid == boot.InitPID && c.State.Ephemeral {
			suspend(c)
			return
		}
		err = c.Call(boot.OpSignal, boot.SignalArgs{PID: pid, Signal: int(sig)}, nil)
	case syscall.SIGINT, syscall.SIGQUIT:
		// A terminal's: natively its whole foreground group gets it.
		err = c.Call(boot.OpSignal, boot.SignalArgs{PID: -pid, Signal: int(sig)}, nil)
	default:
		err = c.Call(boot.OpSignal, boot.SignalArgs{PID: pid, Signal: int(sig)}, nil)
	}
	// The guest may have ended meanwhile, which the caller learns anyway.
	_ = err
}

// suspend stops the guest and then this process, as job control asks, and lets
// the guest go on when this process does.
func suspend(c *container.Container) {
	if c.Call(boot.OpPause, nil, nil) != nil {
		return
	}
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	if err := c.Call(boot.OpResume, nil, nil); err != nil {
		fmt.Fprintf(os.Stderr, "runsc: resuming the sandbox: %v\n", err)
	}
}
