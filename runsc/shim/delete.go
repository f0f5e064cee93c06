package shim

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"cordon/runsc/shim/driver"

	"github.com/containerd/containerd/api/runtime/task/v2"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// deleteLeft ends and removes a container whose shim is gone, and writes what
// containerd tells its clients of the end.
func deleteLeft(bundle, id, namespace string, out io.Writer) error {
	o, err := loadOptions(bundle, namespace)
	if err != nil {
		return err
	}
	if o.Reaper, err = driver.NewReaper(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), clearTime)
	defer cancel()
	if err := o.ForceDelete(ctx, id); err != nil {
		return err
	}
	if err := unmountRootfs(filepath.Join(bundle, "rootfs")); err != nil {
		return err
	}
	response, err := proto.Marshal(&task.DeleteResponse{ExitedAt: timestamppb.New(time.Now()), ExitStatus: 128 + uint32(unix.SIGKILL)})
	if err != nil {
		return err
	}
	_, err = out.Write(response)
	return err
}
