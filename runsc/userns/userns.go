// Package userns makes user namespaces for their maps alone: what a mount is given to
// show ids by.
//
// # Lifetimes
//
// A namespace is kept by the file that New returns, and by the mounts that have its
// map. No process is in it: the one that it is made by ends before New returns.
package userns

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// New returns a user namespace that has the maps and no processes.
func New(uids, gids []syscall.SysProcIDMap) (*os.File, error) {
	// Who asks to be traced stands still from its exec on; its tracer is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess("/proc/self/exe", []string{"userns"}, &os.ProcAttr{Dir: "/", Env: []string{}, Sys: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, Ptrace: true, Pdeathsig: unix.SIGKILL, UidMappings: uids, GidMappings: gids, GidMappingsEnableSetgroups: true,
	}})
	if err != nil {
		return nil, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", p.Pid))
	p.Kill()
	p.Wait()
	return f, err
}
