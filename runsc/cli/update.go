package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"

	"cordon/runsc/container"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// updateFlags are those of `update`. A flag that is not given changes nothing.
type updateFlags struct {
	resources string
	given     map[string]string
}

// updates are the single limits: what the value of each flag becomes.
var updates = []struct {
	name, text string
	set        func(r *specs.LinuxResources, value string) error
}{
	{"blkio-weight", "weight of block I/O, 10 to 1000", func(r *specs.LinuxResources, v string) error {
		return number(v, 16, func(n uint64) { w := uint16(n); r.BlockIO.Weight = &w })
	}},
	{"cpu-period", "microseconds in which --cpu-quota counts; 0 is the default", func(r *specs.LinuxResources, v string) error {
		return number(v, 64, func(n uint64) { r.CPU.Period = &n })
	}},
	{"cpu-quota", "microseconds of processor time in a period", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.CPU.Quota = &n })
	}},
	{"cpu-share", "weight of processor time", func(r *specs.LinuxResources, v string) error {
		return number(v, 64, func(n uint64) { r.CPU.Shares = &n })
	}},
	{"cpu-rt-period", "microseconds in which --cpu-rt-runtime counts", func(r *specs.LinuxResources, v string) error {
		return number(v, 64, func(n uint64) { r.CPU.RealtimePeriod = &n })
	}},
	{"cpu-rt-runtime", "microseconds of real-time scheduling in a period", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.CPU.RealtimeRuntime = &n })
	}},
	{"cpuset-cpus", "processors to use, as 0-2,7", func(r *specs.LinuxResources, v string) error { r.CPU.Cpus = v; return nil }},
	{"cpuset-mems", "memory nodes to use", func(r *specs.LinuxResources, v string) error { r.CPU.Mems = v; return nil }},
	{"cpu-idle", "1 for SCHED_IDLE, else 0", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.CPU.Idle = &n })
	}},
	{"cpu-burst", "microseconds that a quota may be saved up", func(r *specs.LinuxResources, v string) error {
		return number(v, 64, func(n uint64) { r.CPU.Burst = &n })
	}},
	{"memory", "limit of memory in bytes", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.Memory.Limit = &n })
	}},
	{"memory-reservation", "soft limit of memory in bytes", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.Memory.Reservation = &n })
	}},
	{"memory-swap", "limit of memory and swap together in bytes; -1 is none", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.Memory.Swap = &n })
	}},
	{"kernel-memory", "accepted for runc's sake: kernels have no such limit any more", func(*specs.LinuxResources, string) error { return nil }},
	{"kernel-memory-tcp", "accepted for runc's sake", func(*specs.LinuxResources, string) error { return nil }},
	{"pids-limit", "the most processes", func(r *specs.LinuxResources, v string) error {
		return signed(v, func(n int64) { r.Pids.Limit = &n })
	}},
	{"l3-cache-schema", "not supported", refuseRDT},
	{"mem-bw-schema", "not supported", refuseRDT},
}

func refuseRDT(*specs.LinuxResources, string) error {
	return errors.New("Intel RDT is not supported")
}

func number(v string, bits int, set func(uint64)) error {
	n, err := strconv.ParseUint(v, 10, bits)
	if err == nil {
		set(n)
	}
	return err
}

// signed reads a number of bytes or microseconds, bytes with a unit too.
func signed(v string, set func(int64)) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		size, serr := parseSize(v)
		if serr != nil || int64(size) < 0 {
			return fmt.Errorf("%q is no number", v)
		}
		n = int64(size)
	}
	set(n)
	return nil
}

func updateCommand() *command {
	return &command{
		name: "update", args: "[flags] ID", summary: "change the limits of a container",
		examples: []string{"runsc update --memory 512m --pids-limit 100 web", "runsc update --resources limits.json web", "runsc update -r - web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			u := &updateFlags{given: map[string]string{}}
			both(fs.StringVar, &u.resources, "resources", "r", "", "`FILE` (- is standard input) with linux.resources as in config.json; other flags do not count then")
			for _, x := range updates {
				fs.Func(x.name, x.text, func(v string) error { u.given[x.name] = v; return nil })
			}
			return func(g *globals, args []string) (int, error) { return 0, u.run(g, args[0]) }
		},
	}
}

func (u *updateFlags) run(g *globals, id string) error {
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	r, err := u.read()
	if err != nil {
		return err
	}
	if c.Status() == "stopped" {
		return errors.New("container not running")
	}
	return updateContainer(g, c, r)
}

// updateContainer sets limits on the host and tells the Sentry those that it
// shows and enforces itself.
func updateContainer(g *globals, c *container.Container, r *specs.LinuxResources) error {
	warnings, err := c.Update(r)
	for _, w := range warnings {
		g.logger.log("warning", w)
	}
	return err
}

// read gathers the limits from the file or the flags.
func (u *updateFlags) read() (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}, BlockIO: &specs.LinuxBlockIO{}, Pids: &specs.LinuxPids{}}
	if u.resources != "" {
		data, err := readInput(u.resources)
		if err != nil {
			return nil, err
		}
		r = new(specs.LinuxResources)
		if err := json.Unmarshal(data, r); err != nil {
			return nil, fmt.Errorf("--resources: %w", err)
		}
		return r, nil
	}
	for _, x := range updates {
		v, ok := u.given[x.name]
		if !ok || v == "" {
			continue
		}
		if err := x.set(r, v); err != nil {
			return nil, fmt.Errorf("invalid value for %s: %w", x.name, err)
		}
	}
	if r.Pids.Limit == nil {
		r.Pids = nil
	}
	return r, nil
}

func readInput(name string) ([]byte, error) {
	if name != "-" {
		return spec.ReadFile(name)
	}
	return spec.Read(os.Stdin)
}
