package goferfs

import (
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// Overlay implements vfs.Overlaid.
func (in *Inode) Overlay() *vfs.Inode { return &in.above }

// ConnectHost returns a socket, not blocking, that is connected to the host
// process which bound this inode; ECONNREFUSED if the mount does not allow it.
func (in *Inode) ConnectHost(sockType int) (int, error) {
	n, err := in.acquire()
	if err != nil {
		return -1, err
	}
	defer n.release()
	return n.node.Connect(sockType)
}

// Mappable implements vfs.Mapped.
func (in *Inode) Mappable() memmap.Mappable { return in }
