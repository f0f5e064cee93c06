package procfs

import (
	"fmt"
	"math"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// locksText is /proc/locks, of the files that a descriptor refers to.
func locksText(o *opening) ([]byte, error) {
	var b []byte
	type key struct{ dev, ino uint64 }
	seen := map[key]bool{}
	id := 0
	for _, f := range o.fs.openFiles() {
		dev, ino := f.d.DeviceInode()
		if locks := f.d.Locks(); len(locks) > 0 && !seen[key{dev, ino}] {
			seen[key{dev, ino}] = true
			for i := range locks {
				pid := o.fs.shown(locks[i].PID)
				if pid == 0 {
					continue // as in Linux, of nobody that is seen here
				}
				id++
				b = appendLock(b, id, pid, &locks[i], f.d)
			}
		}
		f.d.DecRef()
	}
	return b, nil
}

// appendLock writes a line of /proc/locks.
func appendLock(b []byte, id int, pid int32, l *vfs.LockInfo, d *vfs.Description) []byte {
	kind := "READ "
	if l.Write {
		kind = "WRITE"
	}
	dev, ino := d.DeviceInode()
	end := "EOF"
	if l.End != math.MaxInt64 {
		end = fmt.Sprint(l.End - 1)
	}
	return fmt.Appendf(b, "%d: %-6s %s %s %d %02x:%02x:%d %d %s\n", id, l.Kind, "ADVISORY ", kind, pid,
		linux.DevMajor(dev), linux.DevMinor(dev), ino, l.Start, end)
}
