package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"cordon/runsc/shim/driver"
	"cordon/runsc/shim/stdio"

	"github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/types/task"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A process is a container's first, or one of exec.
//
//	created --start--> running --its host process ends--> stopped
//	   `---------- killed before start ----------------------^
type process struct {
	// immutable
	c     *container
	id    string // of exec; empty for the first process
	names stdio.Names
	spec  []byte // of exec, as JSON
	ended chan struct{}

	// command is held while a command runs that changes what the process is,
	// and while its end is told.
	command sync.Mutex

	mu sync.Mutex
	// guarded by mu
	state task.Status
	pid   int
	exit  driver.Exit
	files *stdio.Files
	// size and closed are what a client asked for before there were files.
	size   *unix.Winsize
	closed bool
}

func newProcess(c *container, id string, n stdio.Names) *process {
	return &process{c: c, id: id, names: n, ended: make(chan struct{}), state: task.Status_CREATED}
}

// eventID is what events call the process.
func (p *process) eventID() string {
	if p.id == "" {
		return p.c.id
	}
	return p.id
}

// status returns where the process stands.
func (p *process) status() (task.Status, int, driver.Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.pid, p.exit
}

// launch opens the files, runs a command that makes the process, and watches it.
func (p *process) launch(ctx context.Context, run func(*driver.Process) error) (err error) {
	files, err := stdio.Open(ctx, p.names, stdio.Owner{Namespace: p.c.s.namespace, ID: p.c.id, UID: p.c.opts.IOUID, GID: p.c.opts.IOGID})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			files.Close()
		}
	}()
	dir, err := os.MkdirTemp("", "shim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &driver.Process{Stdio: files.ForProcess(), PIDFile: filepath.Join(dir, "pid")}
	var console *stdio.ConsoleSocket
	if p.names.Terminal {
		if console, err = stdio.NewConsoleSocket(); err != nil {
			return err
		}
		defer console.Close()
		d.ConsoleSocket = console.Path()
	}
	since := time.Now()
	if err := run(d); err != nil {
		return err
	}
	pid, err := readPID(d.PIDFile)
	if err != nil {
		return err
	}
	if console != nil {
		if err := files.Connect(console); err != nil {
			unix.Kill(pid, unix.SIGKILL)
			return err
		}
	}
	files.Started()
	p.mu.Lock()
	p.pid, p.files = pid, files
	size, closed := p.size, p.closed
	p.mu.Unlock()
	if closed {
		files.CloseStdin()
	}
	if size != nil {
		if err := files.Resize(size.Row, size.Col); err != nil {
			p.c.s.log.warnf("size of the terminal of %s: %v", p.eventID(), err)
		}
	}
	go p.watch(p.c.opts.Reaper.Watch(pid, since))
	return nil
}

func readPID(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("the runtime's pid file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("the runtime's pid file holds %q", text)
	}
	return pid, nil
}

// othersPatience is how long the end of a container waits for the ends of its
// other processes, which containerd wants to hear of first.
const othersPatience = 5 * time.Second

// watch waits for the end and tells it.
func (p *process) watch(exits <-chan driver.Exit) {
	exit := <-exits
	if p.id == "" {
		p.c.awaitOthers(othersPatience)
	}
	p.command.Lock()
	defer p.command.Unlock()
	p.mu.Lock()
	p.state, p.exit = task.Status_STOPPED, exit
	pid := p.pid
	p.mu.Unlock()
	p.c.s.events.Publish("/tasks/exit", &events.TaskExit{ContainerID: p.c.id, ID: p.eventID(), Pid: uint32(pid),
		ExitStatus: uint32(exit.Code), ExitedAt: timestamppb.New(exit.At)})
	close(p.ended)
}

// start lets the process run.
func (p *process) start(ctx context.Context) (int, error) {
	p.command.Lock()
	defer p.command.Unlock()
	if state, _, _ := p.status(); state != task.Status_CREATED {
		return 0, status.Errorf(codes.FailedPrecondition, "cannot start a process that is %s", stateName(state))
	}
	var err error
	switch {
	case p.id != "":
		err = p.launch(ctx, func(d *driver.Process) error { return p.c.opts.Exec(ctx, p.c.id, p.spec, d) })
	case p.c.checkpoint != "":
		err = p.launch(ctx, func(d *driver.Process) error { return p.c.restore(ctx, d) })
	default:
		err = p.c.opts.Start(ctx, p.c.id)
	}
	if err != nil {
		p.failed()
		return 0, translate(err)
	}
	p.mu.Lock()
	p.state = task.Status_RUNNING
	pid := p.pid
	p.mu.Unlock()
	if p.id == "" {
		p.c.s.events.Publish("/tasks/start", &events.TaskStart{ContainerID: p.c.id, Pid: uint32(pid)})
	} else {
		p.c.s.events.Publish("/tasks/exec-started", &events.TaskExecStarted{ContainerID: p.c.id, ExecID: p.id, Pid: uint32(pid)})
	}
	return pid, nil
}

// failed makes a process that could not be started one that has ended, so that
// it can be deleted.
func (p *process) failed() {
	if p.id == "" && p.c.checkpoint == "" {
		// Its sandbox may wait for another start. What it then is, is told by
		// its end.
		if err := p.c.opts.Kill(context.Background(), p.c.id, uint32(unix.SIGKILL), true); err != nil {
			p.c.s.log.debugf("after a start that failed: %v", err)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.exit = task.Status_STOPPED, driver.Exit{Code: startFailed, At: time.Now()}
	close(p.ended)
}

// startFailed is the exit code of a process that could not be started.
const startFailed = 255

// kill sends a signal.
func (p *process) kill(ctx context.Context, sig uint32, all bool) error {
	state, pid, _ := p.status()
	switch {
	case state == task.Status_STOPPED:
		return status.Error(codes.NotFound, "process already finished")
	case p.id == "":
		return translate(p.c.opts.Kill(ctx, p.c.id, sig, all))
	case pid == 0:
		return status.Error(codes.FailedPrecondition, "process not created")
	}
	// The process on the host passes it on.
	err := unix.Kill(pid, unix.Signal(sig))
	if errors.Is(err, unix.ESRCH) {
		return status.Error(codes.NotFound, "process already finished")
	}
	return err
}

// wait returns when the process has ended.
func (p *process) wait(ctx context.Context) (driver.Exit, error) {
	select {
	case <-p.ended:
		_, _, exit := p.status()
		return exit, nil
	case <-ctx.Done():
		return driver.Exit{}, ctx.Err()
	}
}

// resize gives the terminal a new size, now or when there is one.
func (p *process) resize(rows, cols uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == nil {
		p.size = &unix.Winsize{Row: rows, Col: cols}
		return nil
	}
	if p.state == task.Status_STOPPED {
		return nil
	}
	return p.files.Resize(rows, cols)
}

// closeStdin ends the input, now or when there is one.
func (p *process) closeStdin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.files != nil {
		p.files.CloseStdin()
	}
}

// release closes the files of a process that is deleted.
func (p *process) release() {
	p.mu.Lock()
	files := p.files
	p.mu.Unlock()
	if files != nil {
		files.Close()
	}
}

func stateName(s task.Status) string { return strings.ToLower(s.String()) }

// translate gives the runtime's failures containerd's codes.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	text := err.Error()
	for _, gone := range []string{"container not running", "process already finished", "no such process", "does not exist"} {
		if strings.Contains(text, gone) {
			return status.Error(codes.NotFound, text)
		}
	}
	return status.Error(codes.Unknown, text)
}
