package boot

import (
	"errors"
	"fmt"

	"cordon/runsc/control"
)

// Operations of the control socket, with their arguments and results. All but
// OpCreate are about the container that control.Client.To names, the first if
// that is empty.
const (
	// OpCreate adds a container to the sandbox, held until OpStart. It takes
	// CreateArgs and their descriptors.
	OpCreate = "create"
	// OpDestroy ends a container and lets go of all that it has, the name too.
	// It returns when its processes are gone. A container that is not there is
	// no error; for the last the sandbox ends instead of an answer. A first one
	// without a keeper cannot be destroyed: it ends with the sandbox.
	OpDestroy = "destroy"
	// OpContainers returns []ContainerInfo, the first container first.
	OpContainers = "containers"
	// OpState has no arguments; the result is a State.
	OpState = "state"
	// OpStart lets a held first process run.
	OpStart = "start"
	// OpSignal takes SignalArgs.
	OpSignal = "signal"
	// OpExec takes a Process and its descriptors, three at least; the result is its
	// pid. The process is killed when the connection ends before it is waited for.
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

// CreateArgs describe a container that joins. FDs are places in the list of
// descriptors that come with the call, -1 for none.
type CreateArgs struct {
	Container Container
	FDs       ContainerFDs
	// Keeper is the place of the socket to the container's keeper, the host
	// process that carries its pid: the Sentry sends it the first process's
	// end (join.go), and ends the container when it goes away.
	Keeper int
	// Herald is the place of FDs.Herald for this container.
	Herald int
}

// ContainerInfo is where a container stands.
type ContainerInfo struct {
	ID    string
	State State
}

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

// AsStartError turns a call's error that says why a program could not be started
// into a *StartError.
func AsStartError(err error) error {
	var e *control.Error
	if errors.As(err, &e) {
		switch k := ErrorKind(e.Kind); k {
		case ErrNotFound, ErrNotExecutable, ErrOther:
			return &StartError{Kind: k, Message: e.Message}
		}
	}
	return err
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
	case OpCreate:
		return nil, b.create(c)
	case OpDestroy:
		return nil, b.destroy(c.To)
	case OpSave:
		return nil, b.save(c)
	case OpCutOff, OpReconnect:
		return nil, b.cut(c.Op)
	case OpContainers:
		return b.containers(), nil
	case OpConnect:
		return nil, b.connect(c)
	case OpStacks:
		if i, ok := b.kernel.(Inspector); ok {
			return i.Stacks(), nil
		}
		return nil, errUnable("show its stacks")
	}
	m, err := b.member(c)
	if err != nil {
		return nil, err
	}
	return m.dispatch(c)
}

// dispatch performs a call that is for one container.
func (m *member) dispatch(c *control.Call) (any, error) {
	switch c.Op {
	case OpState:
		return m.currentState(), nil
	case OpStart:
		return nil, m.startGuest()
	case OpSignal:
		var a SignalArgs
		if err := c.Decode(&a); err != nil {
			return nil, err
		}
		return nil, m.signal(a)
	case OpExec:
		return m.exec(c)
	case OpWait:
		return m.wait(c)
	case OpProcesses:
		return m.guest.Processes(), nil
	case OpPause:
		return nil, m.setPaused(Paused)
	case OpResume:
		return nil, m.setPaused(Running)
	case OpResize:
		var a ResizeArgs
		if err := c.Decode(&a); err != nil {
			return nil, err
		}
		if r, ok := m.guest.(Resizer); ok {
			return nil, r.Resize(a.PID, a.Rows, a.Cols)
		}
		return nil, errUnable("resize a terminal")
	case OpUpdate, OpUsage, OpOOMKills, OpAwaitOOM:
		return m.dispatchBounds(c)
	}
	return nil, fmt.Errorf("unknown operation %q", c.Op)
}

func (m *member) exec(c *control.Call) (any, error) {
	var p Process
	if err := c.Decode(&p); err != nil {
		return nil, err
	}
	if err := m.mayExec(&p); err != nil {
		return nil, err
	}
	if len(c.FDs) < 3 {
		return nil, fmt.Errorf("exec needs 3 descriptors, not %d", len(c.FDs))
	}
	fds := c.TakeFDs()
	pid, err := m.guest.Exec(&p, [3]int(fds[:3]), fds[3:])
	if err == nil {
		// Whoever has gone before it waits will not be told of its end.
		c.Tie(pid, func() { _ = m.guest.Signal(pid, killSignal) })
	}
	return pid, err
}

func (m *member) wait(c *control.Call) (any, error) {
	var a WaitArgs
	if err := c.Decode(&a); err != nil {
		return nil, err
	}
	if a.PID == InitPID {
		return nil, errors.New("the first process is waited for by its parent")
	}
	defer c.Untie(a.PID)
	if a.Tied {
		release, err := c.OnHangup(func() { _ = m.guest.Signal(a.PID, killSignal) })
		if err != nil {
			return nil, err
		}
		defer release()
	}
	return m.guest.Wait(a.PID)
}
