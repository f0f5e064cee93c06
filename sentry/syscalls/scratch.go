package syscalls

import (
	"bytes"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
)

// A scratch is memory for the path of one call, so that calls made often allocate
// nothing: what is passed through an interface cannot be on the stack.
type scratch struct {
	path [arg.PathMax]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

// put ends the use of s, also of the path it has loaded.
func (s *scratch) put() { scratches.Put(s) }

// pathChunk is how much of a path is read at once. Most are shorter.
const pathChunk = 128

// loadPath is path.Load into s: the string holds until put. vfs copies what it
// keeps of a path that it walks.
func (s *scratch) loadPath(t *task.Task, path arg.Path) (string, error) {
	for n := 0; n < len(s.path); {
		// A page after the string's last need not be there.
		at := uint64(path) + uint64(n)
		some := min(len(s.path)-n, pathChunk, int(linux.PageSize-at%linux.PageSize))
		k, err := t.MM().CopyIn(at, s.path[n:n+some])
		if i := bytes.IndexByte(s.path[n:n+k], 0); i >= 0 {
			return stringOf(s.path[:n+i]), nil
		}
		if err != nil {
			return "", err
		}
		n += k
	}
	return "", linux.ENAMETOOLONG
}
