package shim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cordon/runsc/shim/driver"
	"cordon/runsc/shim/metrics"
	"cordon/runsc/shim/stdio"

	"github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A container is one of the shim's.
type container struct {
	// immutable
	s          *server
	id         string
	bundle     string
	rootfs     string // where the shim has mounted it; empty if it has not
	checkpoint string // the image to start from; empty without
	opts       *options
	init       *process
	stopOOM    func()

	mu sync.Mutex
	// guarded by mu
	execs  map[string]*process
	paused bool
}

// newContainer makes a container up to where its program waits. On an error
// nothing is left.
func (s *server) newContainer(ctx context.Context, r *task.CreateTaskRequest) (c *container, err error) {
	opts, err := readOptions(r.Options, s.namespace)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	opts.Reaper = s.reaper
	if err := opts.save(r.Bundle); err != nil {
		return nil, err
	}
	if err := joinCgroup(opts.ShimCgroup); err != nil {
		return nil, err
	}
	c = &container{s: s, id: r.ID, bundle: r.Bundle, checkpoint: r.Checkpoint, opts: opts, execs: map[string]*process{}}
	c.init = newProcess(c, "", stdio.Names{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal})
	if len(r.Rootfs) > 0 {
		c.rootfs = filepath.Join(r.Bundle, "rootfs")
		if err := os.Mkdir(c.rootfs, 0o711); err != nil && !os.IsExist(err) {
			return nil, err
		}
		if err := mountRootfs(c.rootfs, r.Rootfs); err != nil {
			return nil, err
		}
	}
	if c.checkpoint == "" {
		err = c.init.launch(ctx, func(d *driver.Process) error { return c.create(ctx, d) })
	}
	if err != nil {
		if derr := c.clear(); derr != nil {
			s.log.warnf("after a failure to create %s: %v", c.id, derr)
		}
		return nil, translate(err)
	}
	c.watchOOM()
	return c, nil
}

// joinCgroup puts the shim itself under a cgroup's limits.
func joinCgroup(path string) error {
	if path == "" {
		return nil
	}
	dir := filepath.Join("/sys/fs/cgroup", path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("shim_cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("shim_cgroup: %w", err)
	}
	return nil
}

func (c *container) logFile() string { return filepath.Join(c.bundle, "log.json") }

func (c *container) create(ctx context.Context, d *driver.Process) error {
	var flags []string
	if c.opts.NoPivotRoot {
		flags = append(flags, "--no-pivot")
	}
	if c.opts.NoNewKeyring {
		flags = append(flags, "--no-new-keyring")
	}
	return c.opts.Create(ctx, c.id, c.bundle, c.logFile(), d, flags...)
}

func (c *container) restore(ctx context.Context, d *driver.Process) error {
	return c.opts.Restore(ctx, c.id, c.bundle, c.logFile(), c.checkpoint, filepath.Join(c.bundle, "work"), d)
}

// watchOOM tells containerd when the container runs out of memory: the sandbox
// sees to its limits before the host does.
func (c *container) watchOOM() {
	_, pid, _ := c.init.status()
	if pid == 0 {
		return
	}
	told := &kills{tell: func() { c.s.events.Publish("/tasks/oom", &events.TaskOOM{ContainerID: c.id}) }}
	host, err := metrics.WatchOOM(pid, told.note)
	if err != nil {
		// Without limits there need be no cgroup.
		c.s.log.debugf("out-of-memory events of %s: %v", c.id, err)
		host = func() {}
	}
	inside, err := c.opts.WatchOOM(c.id, told.note)
	if err != nil {
		c.s.log.warnf("out-of-memory events in %s: %v", c.id, err)
		inside = func() {}
	}
	c.stopOOM = func() {
		host()
		inside()
	}
}

// process returns one of the container's.
func (c *container) process(execID string) (*process, error) {
	if execID == "" {
		return c.init, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.execs[execID]; p != nil {
		return p, nil
	}
	return nil, status.Errorf(codes.NotFound, "process %s of container %s does not exist", execID, c.id)
}

// addExec records a process that Start will make.
func (c *container) addExec(r *task.ExecProcessRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.execs[r.ExecID] != nil {
		return status.Errorf(codes.AlreadyExists, "process %s of container %s exists", r.ExecID, c.id)
	}
	p := newProcess(c, r.ExecID, stdio.Names{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal})
	p.spec = r.Spec.GetValue()
	c.execs[r.ExecID] = p
	return nil
}

// awaitOthers waits for the ends of the processes of exec, for a while.
func (c *container) awaitOthers(patience time.Duration) {
	c.mu.Lock()
	var running []*process
	for _, p := range c.execs {
		if state, _, _ := p.status(); state == tasktypes.Status_RUNNING {
			running = append(running, p)
		}
	}
	c.mu.Unlock()
	timeout := time.After(patience)
	for _, p := range running {
		select {
		case <-p.ended:
		case <-timeout:
			return
		}
	}
}

// remove deletes a process that does not run; the first one with the container.
func (c *container) remove(p *process) error {
	state, _, _ := p.status()
	if state != tasktypes.Status_STOPPED && state != tasktypes.Status_CREATED {
		return status.Errorf(codes.FailedPrecondition, "cannot delete a process that is %s", stateName(state))
	}
	if p.id != "" {
		p.release()
		c.mu.Lock()
		delete(c.execs, p.id)
		c.mu.Unlock()
		return nil
	}
	return c.clear()
}

// clearTime bounds what deletes a container, which goes on when a client has
// gone away.
const clearTime = 30 * time.Second

// clear removes all that there is of the container.
func (c *container) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), clearTime)
	defer cancel()
	if err := c.opts.ForceDelete(ctx, c.id); err != nil {
		return translate(err)
	}
	if c.stopOOM != nil {
		c.stopOOM()
	}
	c.mu.Lock()
	execs := c.execs
	c.execs = map[string]*process{}
	c.mu.Unlock()
	for _, p := range execs {
		p.release()
	}
	if _, pid, _ := c.init.status(); pid != 0 {
		select {
		case <-c.init.ended:
		case <-ctx.Done():
			return status.Errorf(codes.DeadlineExceeded, "the first process of %s does not end", c.id)
		}
	}
	c.init.release()
	if c.rootfs != "" {
		return unmountRootfs(c.rootfs)
	}
	return nil
}

// setPaused pauses the container or lets it go on.
func (c *container) setPaused(ctx context.Context, paused bool) error {
	c.init.command.Lock()
	defer c.init.command.Unlock()
	if state, _, _ := c.init.status(); state != tasktypes.Status_RUNNING {
		return status.Errorf(codes.FailedPrecondition, "cannot pause or resume a container that is %s", stateName(state))
	}
	act := c.opts.Resume
	if paused {
		act = c.opts.Pause
	}
	if err := act(ctx, c.id); err != nil {
		return translate(err)
	}
	c.mu.Lock()
	c.paused = paused
	c.mu.Unlock()
	if paused {
		c.s.events.Publish("/tasks/paused", &events.TaskPaused{ContainerID: c.id})
	} else {
		c.s.events.Publish("/tasks/resumed", &events.TaskResumed{ContainerID: c.id})
	}
	return nil
}

func (c *container) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}
