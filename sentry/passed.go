package sentry

import (
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/socket/hostinet"
	"cordon/sentry/vfs"

	"golang.org/x/sys/unix"
)

// firstPassed is the number of the first descriptor after the standard files.
const firstPassed = 3

// pass gives a new process the descriptors of p.Passed, each of which is -1 when it
// has been taken over.
func (ct *Container) pass(p *Process, fds *vfs.FDTable) error {
	c := ct.kernelCaller()
	for i, host := range p.Passed {
		as := linux.FD(firstPassed + i)
		name := "descriptor " + strconv.Itoa(int(as))
		if !p.Sockets || !isSocket(host) {
			p.Passed[i] = -1
			if err := ct.openHost(c, fds, as, host, name); err != nil {
				return err
			}
			continue
		}
		ns, ok := ct.spaces.Net.(*socket.Namespace)
		if !ok {
			return &StartError{Message: name + ": there is no network namespace for a socket"}
		}
		s, err := hostinet.Pass(ct.kernel.notifier, ns, int(host))
		if err != nil {
			return &StartError{Message: name + ": a socket of this kind cannot be passed on: " + err.Error()}
		}
		p.Passed[i] = -1
		d := socket.NewDescription(ct.sys.VFS, c, s, 0)
		if err := fds.Replace(as, d, vfs.NROpen, 0); err != nil {
			d.DecRef()
			return &StartError{Message: name + ": " + err.Error()}
		}
	}
	return nil
}

// closePassed closes what no process got.
func closePassed(p *Process) {
	for _, fd := range p.Passed {
		closeHost(fd)
	}
	p.Passed = nil
}

func isSocket(fd int32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
