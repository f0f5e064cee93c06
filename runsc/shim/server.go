package shim

import (
	"context"
	"os"
	"sync"

	"cordon/runsc/shim/driver"
	"cordon/runsc/shim/events"
	"cordon/runsc/shim/metrics"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/runtime/task/v2"
	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A server is the task service. Its methods are those of the task API, each
// what its name says.
type server struct {
	// immutable
	namespace string
	log       *log
	reaper    *driver.Reaper
	events    *events.Publisher
	version   metrics.Version
	shutdown  func()

	mu sync.Mutex
	// guarded by mu
	containers map[string]*container // nil while it is being made
	ending     bool
}

var empty = &emptypb.Empty{}

// container finds one that stands.
func (s *server) container(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.containers[id]; c != nil {
		return c, nil
	}
	return nil, status.Errorf(codes.NotFound, "container %s does not exist", id)
}

func (s *server) process(id, execID string) (*process, error) {
	c, err := s.container(id)
	if err != nil {
		return nil, err
	}
	return c.process(execID)
}

func (s *server) Create(ctx context.Context, r *task.CreateTaskRequest) (*task.CreateTaskResponse, error) {
	s.mu.Lock()
	_, exists := s.containers[r.ID]
	if exists || s.ending {
		s.mu.Unlock()
		return nil, status.Errorf(codes.AlreadyExists, "container %s exists, or the shim ends", r.ID)
	}
	s.containers[r.ID] = nil
	s.mu.Unlock()
	c, err := s.newContainer(ctx, r)
	s.mu.Lock()
	if err != nil {
		delete(s.containers, r.ID)
	} else {
		s.containers[r.ID] = c
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	_, pid, _ := c.init.status()
	s.events.Publish("/tasks/create", &eventtypes.TaskCreate{ContainerID: r.ID, Bundle: r.Bundle, Rootfs: r.Rootfs,
		IO:         &eventtypes.TaskIO{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal},
		Checkpoint: r.Checkpoint, Pid: uint32(pid)})
	return &task.CreateTaskResponse{Pid: uint32(pid)}, nil
}

func (s *server) Start(ctx context.Context, r *task.StartRequest) (*task.StartResponse, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	pid, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	return &task.StartResponse{Pid: uint32(pid)}, nil
}

func (s *server) Delete(_ context.Context, r *task.DeleteRequest) (*task.DeleteResponse, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if err := p.c.remove(p); err != nil {
		return nil, err
	}
	_, pid, exit := p.status()
	response := &task.DeleteResponse{Pid: uint32(pid), ExitStatus: uint32(exit.Code)}
	if !exit.At.IsZero() {
		response.ExitedAt = timestamppb.New(exit.At)
	}
	if r.ExecID == "" {
		s.mu.Lock()
		delete(s.containers, r.ID)
		s.mu.Unlock()
		s.events.Publish("/tasks/delete", &eventtypes.TaskDelete{ContainerID: r.ID, Pid: response.Pid,
			ExitStatus: response.ExitStatus, ExitedAt: response.ExitedAt})
	}
	return response, nil
}

func (s *server) Exec(_ context.Context, r *task.ExecProcessRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.addExec(r); err != nil {
		return nil, err
	}
	s.events.Publish("/tasks/exec-added", &eventtypes.TaskExecAdded{ContainerID: r.ID, ExecID: r.ExecID})
	return empty, nil
}

func (s *server) State(_ context.Context, r *task.StateRequest) (*task.StateResponse, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	state, pid, exit := p.status()
	if state == tasktypes.Status_RUNNING && p.c.isPaused() {
		state = tasktypes.Status_PAUSED
	}
	response := &task.StateResponse{ID: p.eventID(), ExecID: p.id, Bundle: p.c.bundle, Pid: uint32(pid), Status: state,
		Stdin: p.names.Stdin, Stdout: p.names.Stdout, Stderr: p.names.Stderr, Terminal: p.names.Terminal,
		ExitStatus: uint32(exit.Code)}
	if !exit.At.IsZero() {
		response.ExitedAt = timestamppb.New(exit.At)
	}
	return response, nil
}

func (s *server) Wait(ctx context.Context, r *task.WaitRequest) (*task.WaitResponse, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	exit, err := p.wait(ctx)
	if err != nil {
		return nil, err
	}
	return &task.WaitResponse{ExitStatus: uint32(exit.Code), ExitedAt: timestamppb.New(exit.At)}, nil
}

func (s *server) Kill(ctx context.Context, r *task.KillRequest) (*emptypb.Empty, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if err := p.kill(ctx, r.Signal, r.All); err != nil {
		return nil, err
	}
	return empty, nil
}

func (s *server) Pids(ctx context.Context, r *task.PidsRequest) (*task.PidsResponse, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	pids, err := c.opts.PIDs(ctx, r.ID)
	if err != nil {
		return nil, translate(err)
	}
	execs := c.execPIDs()
	response := &task.PidsResponse{}
	for _, pid := range pids {
		info := &tasktypes.ProcessInfo{Pid: pid}
		if id := execs[pid]; id != "" {
			if info.Info, err = pack(&runcoptions.ProcessDetails{ExecID: id}); err != nil {
				return nil, err
			}
		}
		response.Processes = append(response.Processes, info)
	}
	return response, nil
}

// execPIDs are the host's pids of the processes of exec.
func (c *container) execPIDs() map[uint32]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := map[uint32]string{}
	for id, p := range c.execs {
		if _, pid, _ := p.status(); pid != 0 {
			pids[uint32(pid)] = id
		}
	}
	return pids
}

// pack names a message's type as containerd does.
func pack(m proto.Message) (*anypb.Any, error) {
	value, err := proto.Marshal(m)
	return &anypb.Any{TypeUrl: string(m.ProtoReflect().Descriptor().FullName()), Value: value}, err
}

func (s *server) Pause(ctx context.Context, r *task.PauseRequest) (*emptypb.Empty, error) {
	return s.setPaused(ctx, r.ID, true)
}

func (s *server) Resume(ctx context.Context, r *task.ResumeRequest) (*emptypb.Empty, error) {
	return s.setPaused(ctx, r.ID, false)
}

func (s *server) setPaused(ctx context.Context, id string, paused bool) (*emptypb.Empty, error) {
	c, err := s.container(id)
	if err != nil {
		return nil, err
	}
	if err := c.setPaused(ctx, paused); err != nil {
		return nil, err
	}
	return empty, nil
}

func (s *server) ResizePty(_ context.Context, r *task.ResizePtyRequest) (*emptypb.Empty, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if err := p.resize(uint16(r.Height), uint16(r.Width)); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return empty, nil
}

func (s *server) CloseIO(_ context.Context, r *task.CloseIORequest) (*emptypb.Empty, error) {
	p, err := s.process(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if r.Stdin {
		p.closeStdin()
	}
	return empty, nil
}

func (s *server) Update(ctx context.Context, r *task.UpdateTaskRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	// The resources are JSON, in whatever type they are wrapped.
	if err := c.opts.Update(ctx, r.ID, r.Resources.GetValue()); err != nil {
		return nil, translate(err)
	}
	return empty, nil
}

func (s *server) Stats(ctx context.Context, r *task.StatsRequest) (*task.StatsResponse, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	line, err := c.opts.Stats(ctx, r.ID)
	if err != nil {
		return nil, translate(err)
	}
	m, err := metrics.FromEvent(line, s.version)
	if err != nil {
		return nil, err
	}
	any, err := pack(m)
	if err != nil {
		return nil, err
	}
	return &task.StatsResponse{Stats: any}, nil
}

func (s *server) Checkpoint(ctx context.Context, r *task.CheckpointTaskRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	var o runcoptions.CheckpointOptions
	if r.Options != nil {
		if err := proto.Unmarshal(r.Options.Value, &o); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if err := c.opts.Checkpoint(ctx, r.ID, r.Path, o.WorkPath, checkpointFlags(&o)...); err != nil {
		return nil, translate(err)
	}
	s.events.Publish("/tasks/checkpointed", &eventtypes.TaskCheckpointed{ContainerID: r.ID, Checkpoint: r.Path})
	return empty, nil
}

func checkpointFlags(o *runcoptions.CheckpointOptions) (flags []string) {
	for flag, set := range map[string]bool{"--leave-running": !o.Exit, "--tcp-established": o.OpenTcp,
		"--ext-unix-sk": o.ExternalUnixSockets, "--shell-job": o.Terminal, "--file-locks": o.FileLocks} {
		if set {
			flags = append(flags, flag)
		}
	}
	if o.CgroupsMode != "" {
		flags = append(flags, "--manage-cgroups-mode", o.CgroupsMode)
	}
	for _, n := range o.EmptyNamespaces {
		flags = append(flags, "--empty-ns", n)
	}
	return flags
}

func (s *server) Connect(_ context.Context, r *task.ConnectRequest) (*task.ConnectResponse, error) {
	response := &task.ConnectResponse{ShimPid: uint32(os.Getpid())}
	if c, err := s.container(r.ID); err == nil {
		_, pid, _ := c.init.status()
		response.TaskPid = uint32(pid)
	}
	return response, nil
}

func (s *server) Shutdown(_ context.Context, r *task.ShutdownRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.containers) > 0 && !r.Now {
		return empty, nil
	}
	if !s.ending {
		s.ending = true
		s.shutdown()
	}
	return empty, nil
}
