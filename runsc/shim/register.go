package shim

import (
	"context"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
)

// register serves the task API under its two names: the messages of the second
// and the third version are the same on the wire.
func register(rpc *ttrpc.Server, s *server) {
	methods := map[string]ttrpc.Method{
		"State": method(s.State), "Create": method(s.Create), "Start": method(s.Start), "Delete": method(s.Delete),
		"Pids": method(s.Pids), "Pause": method(s.Pause), "Resume": method(s.Resume), "Checkpoint": method(s.Checkpoint),
		"Kill": method(s.Kill), "Exec": method(s.Exec), "ResizePty": method(s.ResizePty), "CloseIO": method(s.CloseIO),
		"Update": method(s.Update), "Wait": method(s.Wait), "Stats": method(s.Stats), "Connect": method(s.Connect),
		"Shutdown": method(s.Shutdown),
	}
	for _, name := range []string{"containerd.task.v2.Task", "containerd.task.v3.Task"} {
		rpc.RegisterService(name, &ttrpc.ServiceDesc{Methods: methods})
	}
}

// method is a handler as ttrpc wants it.
func method[Q any, R proto.Message](f func(context.Context, *Q) (R, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		request := new(Q)
		if err := unmarshal(request); err != nil {
			return nil, err
		}
		return f(ctx, request)
	}
}
