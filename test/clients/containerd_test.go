package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A containerd is a daemon with its command-line client.
type containerd struct {
	*world
	ctr     string // the client
	bin     string // the daemon
	address string
	config  string
	daemon  *daemon
}

// newContainerd starts Debian's containerd, or another from a directory.
func newContainerd(t *testing.T, bin string) *containerd {
	t.Helper()
	c := prepareContainerd(t, bin)
	c.write(c.config, fmt.Sprintf(containerdConfig, c.dir, c.address, c.dir, c.dir))
	c.start()
	c.mustCtr("images", "import", c.image())
	return c
}

// prepareContainerd makes the world for a daemon.
func prepareContainerd(t *testing.T, bin string) *containerd {
	t.Helper()
	w := newWorld(t)
	c := &containerd{world: w, ctr: "ctr", bin: "containerd"}
	shim := binary(t, "containerd-shim-runsc-v1", *shimFlag)
	path := filepath.Dir(w.runsc) + ":" + filepath.Dir(shim) + ":" + os.Getenv("PATH")
	if bin != "" {
		c.ctr, c.bin = filepath.Join(bin, "ctr"), filepath.Join(bin, "containerd")
		path = bin + ":" + path
	} else {
		w.need("containerd", "ctr")
	}
	w.setenv("PATH", path)
	c.address = filepath.Join(w.dir, "c.sock")
	c.config = filepath.Join(w.dir, "containerd.toml")
	return c
}

// containerdConfig has every path below the world's directory. Root may not
// lower its OOM score on every host.
const containerdConfig = `version = 2
root = "%s/root"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "%s"
[debug]
  address = "%s/debug.sock"
  level = "debug"
[plugins."io.containerd.internal.v1.opt"]
  path = "%s/opt"
`

// write makes a file.
func (w *world) write(path, text string) {
	w.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

// start starts the daemon, again too.
func (c *containerd) start() {
	c.Helper()
	c.daemon = c.world.daemon("containerd", func() bool {
		return c.run(c.ctr, "--address", c.address, "version").code == 0
	}, c.bin, "--config", c.config)
}

// args is a command of ctr in a namespace of the world's name, after which
// cgroups are called.
func (c *containerd) args(args ...string) []string {
	return append([]string{c.ctr, "--address", c.address, "--connect-timeout", manyTimeout.String(), "--namespace", c.name}, args...)
}

func (c *containerd) mustCtr(args ...string) string {
	c.Helper()
	return c.must(c.args(args...)...)
}

func (c *containerd) runCtr(args ...string) result {
	c.Helper()
	return c.run(c.args(args...)...)
}

// A runtime is a way for containerd to run containers in runsc.
type runtime struct {
	name  string
	flags []string // for ctr run and ctr container create
	root  string   // of runsc's state, above a directory for each namespace
}

// runc is the shim of runc with our binary.
func (c *containerd) runc() runtime {
	return runtime{"io.containerd.runc.v2", []string{"--runtime", "io.containerd.runc.v2", "--runc-binary", c.runsc}, "/run/containerd/runc"}
}

// shim is our own shim.
func (c *containerd) shim() runtime {
	return runtime{"io.containerd.runsc.v1", []string{"--runtime", "io.containerd.runsc.v1"}, "/run/containerd/runsc"}
}

// runFlags is `ctr run` with the runtime.
func (r runtime) runFlags(flags ...string) []string {
	return append(append([]string{"run"}, r.flags...), flags...)
}

// states of tasks as `ctr task ls` shows them.
func (c *containerd) status(id string) string {
	c.Helper()
	for line := range strings.Lines(c.mustCtr("task", "ls")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[2]
		}
	}
	return ""
}
