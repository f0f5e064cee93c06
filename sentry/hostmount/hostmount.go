// Package hostmount asks a process outside for mounts on the host.
//
// # Objects
//
// A Mounter is the Sentry's end of the socket to the mounter of a container
// (runsc/sandbox/mounter.c), which has the container's trees. vfs asks it for the mounts
// that come to the host.
//
// # Locking
//
// One call is made at a time, with none of vfs's locks held (host.Deputy).
//
// # Lifetimes
//
// The mounter ends when the Sentry closes its socket. Mounts that it has made stay.
//
// # Checkpoint
//
// A sandbox with a mounter is not saved.
package hostmount

import (
	"encoding/binary"

	"cordon/internal/host"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// What a request is, as the mounter has it.
const (
	opBind = iota + 1
	opTmpfs
	opUnmount

	maxText = 4096
)

// Target is what follows a volume's name where it is mounted on.
const Target = ">"

// A Mounter makes mounts on the host. It implements vfs.HostMounts.
type Mounter struct {
	// immutable
	deputy *host.Deputy
}

// New returns the mounter at the socket fd, which it takes over.
func New(fd int) *Mounter { return &Mounter{host.NewDeputy(fd)} }

// Close ends the mounter. Whoever asks it later gets EIO.
func (m *Mounter) Close() { m.deputy.Close() }

// Bind implements vfs.HostMounts.
func (m *Mounter) Bind(target, source string, dev, ino uint64) (uint64, error) {
	return m.call(opBind, 0, [3]uint64{0, dev, ino}, target, source)
}

// Tmpfs implements vfs.HostMounts.
func (m *Mounter) Tmpfs(target, options string, flags linux.MountFlags) (uint64, error) {
	var attrs uint32
	if flags&linux.MS_RDONLY != 0 {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if flags&linux.MS_NOEXEC != 0 {
		attrs |= unix.MOUNT_ATTR_NOEXEC
	}
	return m.call(opTmpfs, attrs, [3]uint64{}, target, options)
}

// Unmount implements vfs.HostMounts.
func (m *Mounter) Unmount(target string, id uint64) error {
	_, err := m.call(opUnmount, 0, [3]uint64{id, 0, 0}, target, "")
	return err
}

func (m *Mounter) call(op, attrs uint32, numbers [3]uint64, target, more string) (uint64, error) {
	if len(target) >= maxText || len(more) >= maxText {
		return 0, linux.ENAMETOOLONG
	}
	le := binary.LittleEndian
	req := le.AppendUint32(le.AppendUint32(nil, op), attrs)
	for _, n := range numbers {
		req = le.AppendUint64(req, n)
	}
	for _, s := range []string{target, more} {
		req = append(append(req, s...), 0)
	}
	ret, _, _, err := m.deputy.Ask(req, 0, 0)
	return uint64(ret), err
}
