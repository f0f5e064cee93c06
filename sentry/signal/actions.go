package signal

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// Actions is a table of signal actions (sigaction(2)).
type Actions struct {
	mu lock.Mutex[lock.SignalHandlers]
	// guarded by mu
	acts [linux.NSIG + 1]linux.SigAction
}

// NewActions returns a table of default actions.
func NewActions() *Actions { return &Actions{} }

// Get returns the action of s.
func (a *Actions) Get(s linux.Signal) linux.SigAction {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acts[s]
}

// Set replaces the action of s and returns the old one.
func (a *Actions) Set(s linux.Signal, to linux.SigAction) linux.SigAction {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.acts[s]
	to.Mask &^= linux.UnblockableSignals
	a.acts[s] = to
	return old
}

// Fork returns a copy.
func (a *Actions) Fork() *Actions {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &Actions{acts: a.acts}
}

// Reset makes every caught signal default, as execve(2) does; ignored ones
// stay ignored unless all is set (CLONE_CLEAR_SIGHAND resets those not
// ignored too, which is the same).
func (a *Actions) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.acts {
		if a.acts[i].Handler != linux.SIG_IGN {
			a.acts[i] = linux.SigAction{}
		} else {
			a.acts[i] = linux.SigAction{Handler: linux.SIG_IGN}
		}
	}
}

// Ignores reports whether a pending s would be thrown away: ignored by choice
// or by default.
func (a *Actions) Ignores(s linux.Signal) bool {
	switch a.Get(s).Handler {
	case linux.SIG_IGN:
		return s != linux.SIGKILL && s != linux.SIGSTOP
	case linux.SIG_DFL:
		return Default(s) == Ignore
	}
	return false
}

// Sets returns the ignored and the caught signals (/proc/pid/status).
func (a *Actions) Sets() (ignored, caught linux.SigSet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		switch a.acts[s].Handler {
		case linux.SIG_DFL:
		case linux.SIG_IGN:
			ignored.Add(s)
		default:
			caught.Add(s)
		}
	}
	return ignored, caught
}

// All returns the table, for a checkpoint.
func (a *Actions) All() []linux.SigAction {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]linux.SigAction(nil), a.acts[1:]...)
}

// Disposition is what a signal does by default (signal(7)).
type Disposition uint8

const (
	Terminate Disposition = iota
	Core
	Ignore
	Stop
	Continue
)

// Default returns the default disposition of s.
func Default(s linux.Signal) Disposition {
	switch s {
	case linux.SIGCHLD, linux.SIGURG, linux.SIGWINCH:
		return Ignore
	case linux.SIGCONT:
		return Continue
	case linux.SIGSTOP, linux.SIGTSTP, linux.SIGTTIN, linux.SIGTTOU:
		return Stop
	case linux.SIGQUIT, linux.SIGILL, linux.SIGTRAP, linux.SIGABRT, linux.SIGBUS, linux.SIGFPE,
		linux.SIGSEGV, linux.SIGXCPU, linux.SIGXFSZ, linux.SIGSYS:
		return Core
	}
	return Terminate
}
