package boot

import (
	"errors"
	"fmt"
	"syscall"

	"cordon/runsc/control"
)

// Operations of the control socket, with their arguments and results.
const (
	// OpState has no arguments; the result is a State.
	OpState = "state"
	// OpStart lets a held first process run.
	OpStart = "start"
	// OpSignal takes SignalArgs.
	OpSignal = "signal"
	// OpExec takes a Process and three descriptors; the result is its pid.
	OpExec = "exec"
	// OpWait takes WaitArgs; the result is a wait status.
	OpWait = "wait"
	// OpProcesses returns []ProcessInfo.
	OpProcesses = "ps"
	OpPause     = "pause"
	OpResume    = "resume"
	// OpResize takes ResizeArgs.
	OpResize = "resize"
	// OpStacks returns a string.
	OpStacks = "stacks"
)

// SignalArgs name a signal and a pid: 0 is every process, a negative one the
// process group, as in kill(2).
type SignalArgs struct {
	PID    int32
	Signal int
}

// WaitArgs name a process to wait for. With Tied the process is killed when
// the waiting client goes away.
type WaitArgs struct {
	PID  int32
	Tied bool
}

// ResizeArgs give a process's terminal a new size.
type ResizeArgs struct {
	PID        int32
	Rows, Cols uint16
}

// kindNoProcess marks an ErrNoProcess on the socket.
const kindNoProcess = "no process"

// IsNoProcess reports whether a call failed because the process is gone.
func IsNoProcess(err error) bool {
	var e *control.Error
	return errors.Is(err, ErrNoProcess) || errors.As(err, &e) && e.Kind == kindNoProcess
}

// errUnable is the answer where the kernel lacks an optional ability.
func errUnable(what string) error {
	return fmt.Errorf("this sandbox cannot %s", what)
}

// handle performs a call of the control socket.
func (b *box) handle(c *control.Call) (any, error) {
	result, err := b.dispatch(c)
	var start *StartError
	switch {
	case err == nil:
		return result, nil
	case errors.As(err, &start):
		return nil, &control.Error{Kind: string(start.Kind), Message: start.Message}
	case errors.Is(err, ErrNoProcess):
		return nil, &control.Error{Kind: kindNoProcess, Message: err.Error()}
	}
	return nil, err
}

func (b *box) dispatch(c *control.Call) (any, error) {
	switch c.Op {
	case OpState:
		return b.currentState(), nil
	case OpStart:
		return nil, b.startKernel()
	case OpSignal:
		var a SignalArgs
		if err := c.Decode(&a); err != nil {
			return nil, err
		}
		return nil, b.signal(a)
	case OpExec:
		return b.exec(c)
	case OpWait:
		return b.wait(c)
	case OpProcesses:
		return b.kernel.Processes(), nil
	case OpPause:
		return nil, b.setPaused(Paused)
	case OpResume:
		return nil, b.setPaused(Running)
	case OpResize:
		var a ResizeArgs
		if err := c.Decode(&a); err != nil {
			return nil, err
		}
		if r, ok := b.kernel.(Resizer); ok {
			return nil, r.Resize(a.PID, a.Rows, a.Cols)
		}
		return nil, errUnable("resize a terminal")
	case OpStacks:
		if i, ok := b.kernel.(Inspector); ok {
			return i.Stacks(), nil
		}
		return nil, errUnable("show its stacks")
	}
	return nil, fmt.Errorf("unknown operation %q", c.Op)
}

func (b *box) currentState() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Running && b.paused {
		return Paused
	}
	return b.state
}

// signal delivers a signal. A first process that has not been started has no
// handlers: what would end it ends the sandbox.
func (b *box) signal(a SignalArgs) error {
	if a.Signal < 0 || a.Signal > 64 {
		return fmt.Errorf("signal %d: no such signal", a.Signal)
	}
	b.mu.Lock()
	if b.state == Created {
		defer b.mu.Unlock()
		if a.Signal != 0 && endsByDefault(syscall.Signal(a.Signal)) {
			b.state, b.ended = Stopped, a.Signal
			close(b.start)
		}
		return nil
	}
	b.mu.Unlock()
	return b.kernel.Signal(a.PID, a.Signal)
}

// endsByDefault reports whether the default action of sig ends a process.
func endsByDefault(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return false
	}
	return true
}

func (b *box) exec(c *control.Call) (any, error) {
	var p Process
	if err := c.Decode(&p); err != nil {
		return nil, err
	}
	switch s := b.currentState(); s {
	case Running:
	case Paused:
		return nil, errors.New("cannot exec in a paused container")
	default:
		return nil, fmt.Errorf("cannot exec in a container that is %s", s)
	}
	if len(c.FDs) != 3 {
		return nil, fmt.Errorf("exec needs 3 descriptors, not %d", len(c.FDs))
	}
	return b.kernel.Exec(&p, [3]int(c.TakeFDs()))
}

func (b *box) wait(c *control.Call) (any, error) {
	var a WaitArgs
	if err := c.Decode(&a); err != nil {
		return nil, err
	}
	if a.PID == InitPID {
		return nil, errors.New("the first process is waited for by its parent")
	}
	if a.Tied {
		release, err := c.OnHangup(func() { _ = b.kernel.Signal(a.PID, killSignal) })
		if err != nil {
			return nil, err
		}
		defer release()
	}
	return b.kernel.Wait(a.PID)
}

const killSignal = 9

func (b *box) setPaused(to State) error {
	p, ok := b.kernel.(Pauser)
	if !ok {
		return errUnable("pause")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Running {
		return fmt.Errorf("cannot pause or resume a container that is %s", b.state)
	}
	if b.paused == (to == Paused) {
		return nil
	}
	act := p.Resume
	if to == Paused {
		act = p.Pause
	}
	if err := act(); err != nil {
		return err
	}
	b.paused = to == Paused
	return nil
}
