package sentry

import (
	"cordon/internal/linux"
	"cordon/sentry/fs/tmpfs"
)

// assembleObjects makes what anonymous files and sockets need beside the VFS.
func (k *Kernel) assembleObjects() error {
	memfds, err := tmpfs.New(tmpfs.Options{
		Memory: k.sys.Memory, Clock: k.sys.Clocks.Stamp, Device: k.sys.VFS.NextDevice(), Total: k.sys.MemoryTotal(),
		Data: "size=0,nr_inodes=0", // as in Linux, no limit but memory
	})
	if err != nil {
		return &StartError{Message: "making the file system of memory files: " + linux.ENOMEM.Error()}
	}
	k.sys.Memfds = memfds
	return k.assembleNetwork()
}
