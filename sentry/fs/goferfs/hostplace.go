package goferfs

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// HostPlace implements vfs.HostPlaced: a place below the mount's name in the gofer.
func (fs *FS) HostPlace(i vfs.Inode) (p vfs.HostPlace, ok bool) {
	in := inodeOf(i)
	if in == nil {
		return p, false
	}
	path := ""
	for at := in; ; {
		at.mu.Lock()
		parent, name, adrift := at.parent, at.name, at.adrift
		at.mu.Unlock()
		switch {
		case parent == nil:
			return vfs.HostPlace{Path: fs.attach + path, Dev: in.key.dev, Ino: in.key.ino}, true
		case adrift || len(path) > linux.PATH_MAX:
			return p, false
		}
		path = "/" + name + path
		at = parent
	}
}
