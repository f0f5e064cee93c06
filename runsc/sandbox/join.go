package sandbox

import (
	"errors"
	"os"
	"strings"
	"sync"

	"cordon/runsc/boot"
	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

// Join makes a further container of the sandbox that cl is connected to, from
// c.Spec.Container; what else c.Spec says is the sandbox's own. The container
// waits for OpStart. In the result, the boot process is the container's keeper:
// a host process with a pid that ends with the exit code of the container's
// first process, passes signals on to it, and takes the container along when it
// is killed. On an error no process is left. The error is a *boot.StartError
// when the program is at fault.
func Join(c *Config, cl *control.Client) (*Sandbox, error) {
	s := &Sandbox{attached: c.Attached}
	var ends sockets
	defer ends.close()
	if len(c.Roots) > 0 {
		if err := ends.open(); err != nil {
			return nil, err
		}
	}
	own, theirs, err := socketPair(unix.SOCK_STREAM, "keeper")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	var wg sync.WaitGroup
	var goferReady, keeperReady *os.File
	var goferErr, keeperErr error
	if s.herald, err = startHerald(c); err != nil {
		return nil, err
	}
	defer s.herald.release()
	if ends.mounter, err = startMounter(c); err != nil {
		return nil, err
	}
	var network *os.File
	if c.OwnNet {
		if s.network, network, err = networkSocket(c); err != nil {
			return nil, err
		}
		if network != nil {
			defer network.Close()
			defer s.network.Close()
		}
	}
	if len(c.Roots) > 0 {
		wg.Go(func() { s.gofer, goferReady, goferErr = startGofer(c, &ends) })
	}
	s.keeper, keeperReady, keeperErr = startKeeper(c, theirs, c.SentryPID)
	theirs.Close()
	wg.Wait()
	for _, f := range []*os.File{goferReady, keeperReady} {
		if f != nil {
			defer f.Close()
		}
	}
	s.number()
	err = errors.Join(goferErr, keeperErr)
	if err == nil {
		err = keeperFailure(keeperReady)
	}
	if err == nil && c.Started != nil {
		err = c.Started(s.PIDs())
	}
	if err == nil {
		err = s.sendNetwork(c, s.keeper.p.Pid)
	}
	if err == nil {
		s.herald.begin(0) // the sandbox's stubs are in another group
		if err = create(c, cl, &ends, own, s.herald.sentryEnd(), network); err != nil {
			err = goferFailure(goferReady, err)
		}
	}
	if err != nil {
		s.Kill()
		s.Wait()
		return nil, err
	}
	return s, nil
}

// create asks the Sentry for the container.
func create(c *Config, cl *control.Client, ends *sockets, keeper, herald, network *os.File) error {
	var fds []int
	add := func(f *os.File) int {
		if f == nil {
			return -1
		}
		fds = append(fds, int(f.Fd()))
		return len(fds) - 1
	}
	a := boot.CreateArgs{Container: c.Spec.Container, Keeper: add(keeper), Herald: add(herald), FDs: boot.ContainerFDs{
		Stdio: [3]int{add(c.Stdio[0]), add(c.Stdio[1]), add(c.Stdio[2])}, Gofer9P: add(ends.nineP[0]), GoferDonate: add(ends.donate[0]),
		Mounter: add(ends.mounter), Network: add(network),
	}}
	for _, f := range c.Passed {
		a.FDs.Passed = append(a.FDs.Passed, add(f))
	}
	return boot.AsStartError(cl.Call(boot.OpCreate, a, nil, fds...))
}

// maxShown bounds what the host's ps shows of a program's arguments.
const maxShown = 4096

// shownArgs are the first program's arguments, for the host's ps.
func shownArgs(c *Config) []string {
	left := maxShown
	var out []string
	for _, a := range c.Spec.Process.Args {
		if len(a) > left || strings.ContainsRune(a, 0) {
			break
		}
		left -= len(a) + 1
		out = append(out, a)
	}
	if len(out) == 0 {
		return []string{"runsc"}
	}
	return out
}
