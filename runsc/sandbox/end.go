package sandbox

import (
	"errors"
	"os"
	"syscall"
)

// Wait blocks until the container's processes are gone and returns its exit code, as
// a shell would see it. A boot process that has a keeper beside it may go on for other
// containers.
func (s *Sandbox) Wait() (code int, err error) {
	if k := s.keeper; k != nil {
		code, err = exitCode(k.p)
		s.keeper = nil
		if s.boot != nil && s.killed {
			s.boot.Wait()
		}
	} else if s.boot != nil {
		code, err = exitCode(s.boot)
	}
	s.boot = nil
	if s.gofer != nil {
		// The Sentry's ends of its sockets are closed, so it would end by
		// itself, in its own time: nobody is left to want its answers, and
		// what it opened is closed either way.
		s.gofer.Kill()
		s.gofer.Wait()
		s.gofer = nil
	}
	s.herald.stop()
	s.herald = nil
	return code, err
}

func exitCode(p *os.Process) (int, error) {
	st, err := p.Wait()
	if err != nil {
		return 0, err
	}
	if ws := st.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return st.ExitCode(), nil
}

// Detach lets the sandbox outlive this process; one that is attached ends with its
// container's process, which does not.
func (s *Sandbox) Detach() error {
	var err error
	if s.keeper != nil && !s.attached {
		err = s.keeper.detach()
	}
	if s.boot != nil && (s.keeper != nil || !s.attached) {
		_, berr := s.lifeline.Write([]byte{'d'})
		s.lifeline.Close()
		err = errors.Join(err, berr)
	}
	return err
}

// Kill ends the sandbox at once.
func (s *Sandbox) Kill() {
	s.killed = true
	if s.keeper != nil {
		s.keeper.p.Kill()
	}
	if s.boot != nil {
		s.boot.Kill()
	}
	if s.gofer != nil {
		s.gofer.Kill()
	}
}
