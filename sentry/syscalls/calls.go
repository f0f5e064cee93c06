package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/task"
)

func isZero(err error) bool {
	if err == nil {
		return true
	}
	e, ok := err.(linux.Errno)
	return ok && e == 0
}

// Calls dispatches system calls by number; it implements task.Calls.
type Calls struct {
	// immutable
	rows    [linux.MaxSyscall + 1]*Row
	index32 [linux.MaxSyscall + 1]int32 // of rows in Table
	keeps   [linux.MaxSyscall + 1]keeps
	trace   *Tracer // nil: no trace
}

// NewCalls makes the dispatch table of amd64. trace may be nil.
func NewCalls(trace *Tracer) *Calls {
	c := &Calls{trace: trace}
	for i := range Table {
		if nr := Table[i].AMD64; nr >= 0 {
			c.rows[nr] = &Table[i]
			c.index32[nr] = int32(i)
			c.keeps[nr] = keepers[Table[i].Name]
		}
	}
	return c
}

// Call runs call nr. Unknown numbers and calls without a handler are ENOSYS.
func (c *Calls) Call(t *task.Task, nr uintptr, args *[6]uintptr) (uintptr, error) {
	if c.trace != nil {
		return c.trace.call(c, t, nr, args)
	}
	return c.dispatch(t, nr, args)
}

func (c *Calls) dispatch(t *task.Task, nr uintptr, args *[6]uintptr) (uintptr, error) {
	if nr >= uintptr(len(c.rows)) {
		return 0, linux.ENOSYS
	}
	row := c.rows[nr]
	if row == nil || row.call == nil {
		return 0, linux.ENOSYS
	}
	if k := c.keeps[nr]; k != 0 {
		if e := t.TakeKernelMemory(k.bytes(args)); e != 0 {
			return 0, e
		}
	}
	return row.call(t, args)
}

// Name returns the name of call nr on amd64, empty for none.
func (c *Calls) Name(nr uintptr) string {
	if nr < uintptr(len(c.rows)) && c.rows[nr] != nil {
		return c.rows[nr].Name
	}
	return ""
}
