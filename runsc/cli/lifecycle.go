package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/container"
	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

func startCommand() *command {
	return &command{
		name: "start", args: "ID", summary: "run the program of a created container",
		examples: []string{"runsc start web"}, minArgs: 1, maxArgs: 1,
		flags: func(*flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) {
				c, err := g.store().Load(args[0])
				if err != nil {
					return 0, err
				}
				return 0, startContainer(g, c)
			}
		},
	}
}

func startContainer(g *globals, c *container.Container) error {
	switch s := c.Status(); s {
	case "created":
	case "stopped":
		return errors.New("cannot start a container that has stopped")
	case "creating":
		return errors.New("cannot start a container that is being created")
	default:
		return errors.New("cannot start an already running container")
	}
	if err := startHooks(c); err != nil {
		// A container whose start failed is stopped.
		_ = c.Call(boot.OpSignal, boot.SignalArgs{PID: boot.InitPID, Signal: int(syscall.SIGKILL)}, nil)
		return err
	}
	if err := c.Call(boot.OpStart, nil, nil); err != nil {
		return err
	}
	// A failure is logged and no more, says the specification.
	if err := runHooks("poststart", c.State.Poststart, ociState(c, "running")); err != nil {
		g.logger.warn(err.Error())
	}
	return nil
}

func killCommand() *command {
	return &command{
		name: "kill", args: "[flags] ID [SIGNAL]", summary: "send a signal, TERM unless named, to a container's first process",
		examples: []string{"runsc kill web", "runsc kill web KILL", "runsc kill --all web 9"},
		minArgs:  1, maxArgs: 2,
		flags: func(fs *flag.FlagSet) runner {
			var all bool
			both(fs.BoolVar, &all, "all", "a", false, "send it to every process of the container")
			return func(g *globals, args []string) (int, error) {
				name := "TERM"
				if len(args) > 1 {
					name = args[1]
				}
				return 0, kill(g, args[0], name, all)
			}
		},
	}
}

func kill(g *globals, id, name string, all bool) error {
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	sig, err := parseSignal(name)
	if err != nil {
		return err
	}
	if c.Status() == "stopped" {
		if all {
			return nil
		}
		return errors.New("container not running")
	}
	a := boot.SignalArgs{PID: boot.InitPID, Signal: int(sig)}
	if all {
		a.PID = 0
	}
	cl, err := c.Dial()
	if err == nil {
		defer cl.Close()
		if err = cl.Call(boot.OpSignal, a, nil); errors.Is(err, control.ErrClosed) {
			return nil // the sandbox ended with the signal, before it answered
		}
	}
	if boot.IsNoProcess(err) || errors.Is(err, control.ErrClosed) {
		if all {
			return nil
		}
		return errors.New("container not running")
	}
	return err
}

// parseSignal reads a signal's number or name.
func parseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= 64 {
		return syscall.Signal(n), nil
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", s)
}

func deleteCommand() *command {
	return &command{
		name: "delete", args: "[flags] ID", summary: "remove a container that has stopped",
		examples: []string{"runsc delete web", "runsc delete --force web"}, minArgs: 1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			var force bool
			both(fs.BoolVar, &force, "force", "f", false, "end the container first; one that does not exist is no error")
			return func(g *globals, args []string) (int, error) {
				store := g.store()
				defer store.Sweep()
				c, err := store.Load(args[0])
				if force && (errors.Is(err, container.ErrNotExist) || errors.Is(err, container.ErrDamaged)) {
					return 0, store.Discard(args[0])
				}
				if err != nil {
					return 0, err
				}
				return 0, deleteContainer(g, c, force)
			}
		},
	}
}

func deleteContainer(g *globals, c *container.Container, force bool) error {
	if err := c.Delete(force); err != nil {
		return err
	}
	if err := runHooks("poststop", c.State.Poststop, ociState(c, "stopped")); err != nil {
		g.logger.warn(err.Error())
	}
	return nil
}

// pauseCommand is `pause` or `resume`.
func pauseCommand(name, summary, op string, want container.Status) *command {
	return &command{
		name: name, args: "ID", summary: summary,
		examples: []string{"runsc " + name + " web"}, minArgs: 1, maxArgs: 1,
		flags: func(*flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) {
				c, err := g.store().Load(args[0])
				if err != nil {
					return 0, err
				}
				if s := c.Status(); s != want {
					return 0, fmt.Errorf("container not %s: %s", want, s)
				}
				return 0, c.Call(op, nil, nil)
			}
		},
	}
}

// stateView is what `state` and `list` show; the fields are runc's.
type stateView struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	PID         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

func view(c *container.Container) stateView {
	v := stateView{Version: c.State.OCI, ID: c.State.ID, Status: string(c.Status()), Bundle: c.State.Bundle,
		Rootfs: c.State.Rootfs, Created: c.State.Created, Annotations: c.State.Notes, Owner: c.State.Owner}
	if v.Status != "stopped" {
		v.PID = c.State.Boot.PID
	}
	return v
}

func stateCommand() *command {
	return &command{
		name: "state", args: "ID", summary: "print a container's state as JSON",
		examples: []string{"runsc state web"}, minArgs: 1, maxArgs: 1,
		flags: func(*flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) {
				c, err := g.store().Load(args[0])
				if err != nil {
					return 0, err
				}
				return 0, printJSON(view(c))
			}
		},
	}
}

func indented(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "\t")
	return append(data, '\n'), err
}

func printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(data, '\n'))
	return err
}
