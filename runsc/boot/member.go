package boot

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// State is where a container stands, in the runtime specification's words.
type State string

// The states; a paused one is running with code stopped.
//
//	created --start--> running --first process ends--> stopped
const (
	Created State = "created"
	Running State = "running"
	Paused  State = "paused"
	Stopped State = "stopped"
)

// A member is one container of the sandbox as the control socket sees it.
type member struct {
	// immutable
	id    string
	guest Guest
	start chan struct{} // closed when the state leaves Created

	herald *herald // nil for none; set before others know the member

	mu sync.Mutex
	// guarded by mu
	state  State
	paused bool
	ended  int // the signal that ended a first process before it was started
}

func newMember(id string, g Guest) *member {
	return &member{id: id, guest: g, start: make(chan struct{}), state: Created}
}

func (m *member) currentState() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == Running && m.paused {
		return Paused
	}
	return m.state
}

func (m *member) startGuest() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != Created {
		return fmt.Errorf("cannot start a container that is %s", m.state)
	}
	if err := m.guest.Start(); err != nil {
		return err
	}
	m.state = Running
	close(m.start)
	return nil
}

// await waits for the first process's end and returns its exit code.
func (m *member) await() int {
	var lost <-chan struct{}
	if l, ok := m.guest.(Losable); ok {
		lost = l.Lost()
	}
	select {
	case <-m.start:
	case <-lost:
		m.kill() // one that runs ends by itself
		<-m.start
	}
	m.mu.Lock()
	ended := m.ended
	m.mu.Unlock()
	if ended != 0 {
		return 128 + ended
	}
	status, err := m.guest.Wait(InitPID)
	m.mu.Lock()
	m.state = Stopped
	m.mu.Unlock()
	if err != nil {
		fmt.Fprintf(os.Stderr, "runsc boot: waiting for the first process: %v\n", err)
		status = uint32(syscall.SIGKILL)
	}
	return ExitCode(status)
}

// signal delivers a signal. A first process that has not been started has no
// handlers: what would end it ends the container.
func (m *member) signal(a SignalArgs) error {
	if a.Signal < 0 || a.Signal > 64 {
		return fmt.Errorf("signal %d: no such signal", a.Signal)
	}
	m.mu.Lock()
	switch m.state {
	case Created:
		defer m.mu.Unlock()
		if a.Signal != 0 && endsByDefault(syscall.Signal(a.Signal)) {
			m.state, m.ended = Stopped, a.Signal
			close(m.start)
		}
		return nil
	case Stopped:
		m.mu.Unlock()
		return ErrNoProcess
	}
	m.mu.Unlock()
	return m.guest.Signal(a.PID, a.Signal)
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

// kill ends the container's processes in whatever state it is.
func (m *member) kill() {
	// Gone already: there is nothing to kill.
	_ = m.signal(SignalArgs{PID: 0, Signal: killSignal})
}

const killSignal = 9

func (m *member) setPaused(to State) error {
	p, ok := m.guest.(Pauser)
	if !ok {
		return errUnable("pause")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != Running {
		return fmt.Errorf("cannot pause or resume a container that is %s", m.state)
	}
	if m.paused == (to == Paused) {
		return nil
	}
	act := p.Resume
	if to == Paused {
		act = p.Pause
	}
	if err := act(); err != nil {
		return err
	}
	m.paused = to == Paused
	return nil
}

// mayExec says why a process cannot be added.
func (m *member) mayExec(p *Process) error {
	switch s := m.currentState(); {
	case s == Running, s == Created && p.Early, s == Paused && p.IgnorePaused:
		return nil
	case s == Paused:
		return errors.New("cannot exec in a paused container")
	default:
		return fmt.Errorf("cannot exec in a container that is %s", s)
	}
}
