package syscalls

import (
	"encoding/binary"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// maxDirents is how much of a directory one call reads.
const maxDirents = 1 << 20

// A lister fills the buffer of one getdents. Its function is made once for many
// calls.
type lister struct {
	sink     vfs.DirSink
	out      []byte
	room     int
	add      func(b []byte, e *vfs.Dirent) []byte
	cur      vfs.Dirent // what is being added: an address for add that costs nothing
	tooSmall bool
}

// keptDirents is the largest buffer that a lister keeps.
const keptDirents = 64 << 10

var listers = sync.Pool{New: func() any {
	l := &lister{out: make([]byte, 0, 32<<10)}
	l.sink.Emit = l.append
	return l
}}

func (l *lister) append(e vfs.Dirent) bool {
	k := len(l.out)
	l.cur = e
	l.out = l.add(l.out, &l.cur)
	if len(l.out) > l.room {
		l.tooSmall = k == 0
		l.out = l.out[:k]
		return false
	}
	l.sink.Off = e.Next
	return true
}

func (l *lister) put() {
	if cap(l.out) <= keptDirents {
		l.out, l.cur = l.out[:0], vfs.Dirent{}
		listers.Put(l)
	}
}

func getdents(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Count, add func(b []byte, e *vfs.Dirent) []byte) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	l := listers.Get().(*lister)
	defer l.put()
	l.room, l.add, l.tooSmall = int(min(uint32(n), maxDirents)), add, false
	err = d.ReadDirTo(&l.sink)
	if len(l.out) > 0 {
		return uintptr(len(l.out)), buf.Store(t.MM(), l.out)
	}
	if err == nil && l.tooSmall {
		err = linux.EINVAL
	}
	return 0, err
}

// appendDirent64 appends a struct linux_dirent64.
func appendDirent64(b []byte, e *vfs.Dirent) []byte {
	const head = 19
	n := (head + len(e.Name) + 1 + 7) &^ 7
	b = binary.LittleEndian.AppendUint64(b, e.Ino)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Next))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = append(b, e.Type)
	b = append(b, e.Name...)
	return append(b, zeros[:n-head-len(e.Name)]...)
}

// appendDirent appends a struct linux_dirent.
func appendDirent(b []byte, e *vfs.Dirent) []byte {
	const head = 18
	n := (head + len(e.Name) + 2 + 7) &^ 7
	b = binary.LittleEndian.AppendUint64(b, e.Ino)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Next))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = append(b, e.Name...)
	b = append(b, zeros[:n-head-len(e.Name)-1]...)
	return append(b, e.Type)
}

var zeros [16]byte
