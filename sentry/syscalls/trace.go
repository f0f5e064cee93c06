package syscalls

import (
	"strconv"
	"time"

	"cordon/internal/linux"
	"cordon/sentry/task"
)

// A Tracer logs calls in strace's form:
//
//	[    1] 0.000321 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3 <0.000041>
//
// Arguments that a call reads are formatted before it runs, those it fills
// after it: the line is written when the call ends, or, for calls that do not
// return, when they begin.
type Tracer struct {
	// immutable
	write func(line []byte)
	only  map[string]bool // nil: every call
	begin time.Time
	rows  [len(Table)][]formatter
}

// NewTracer returns a tracer that gives each line, with its newline, to write.
// calls are the names to log, all if empty; ok is false, and unknown the name,
// if one is no system call.
func NewTracer(write func(line []byte), calls []string) (tr *Tracer, unknown string, ok bool) {
	tr = &Tracer{write: write, begin: time.Now()}
	known := make(map[string]bool)
	for i := range Table {
		known[Table[i].Name] = true
		for _, ty := range Table[i].args {
			tr.rows[i] = append(tr.rows[i], formatterOf(ty))
		}
	}
	for _, name := range calls {
		if !known[name] {
			return nil, name, false
		}
		if tr.only == nil {
			tr.only = make(map[string]bool)
		}
		tr.only[name] = true
	}
	return tr, "", true
}

// call runs a call and logs it.
func (tr *Tracer) call(c *Calls, t *task.Task, nr uintptr, args *[6]uintptr) (uintptr, error) {
	i := c.index(nr)
	if i < 0 || tr.only != nil && !tr.only[Table[i].Name] {
		return c.dispatch(t, nr, args)
	}
	row := &Table[i]
	l := &line{t: t, args: args}
	texts := make([]string, len(tr.rows[i]))
	for k, f := range tr.rows[i] {
		if !f.after {
			texts[k] = f.format(l, k)
		}
	}
	start := time.Now()
	if row.Name == "exit" || row.Name == "exit_group" {
		tr.put(t, row.Name, texts, "?", start, 0)
		return c.dispatch(t, nr, args)
	}
	ret, err := c.dispatch(t, nr, args)
	took := time.Since(start)
	l.ret, l.failed = ret, err != nil
	for k, f := range tr.rows[i] {
		if f.after {
			texts[k] = f.format(l, k)
		}
	}
	if row.call == nil {
		texts = texts[:0]
		for _, a := range args {
			texts = append(texts, hex(uint64(a)))
		}
	}
	tr.put(t, row.Name, texts, resultText(row, ret, err), start, took)
	return ret, err
}

func (tr *Tracer) put(t *task.Task, name string, args []string, result string, at time.Time, took time.Duration) {
	b := make([]byte, 0, 160)
	b = append(b, '[')
	id := strconv.Itoa(int(t.TID()))
	for n := len(id); n < 5; n++ {
		b = append(b, ' ')
	}
	b = append(append(b, id...), "] "...)
	b = strconv.AppendFloat(b, at.Sub(tr.begin).Seconds(), 'f', 6, 64)
	b = append(append(append(b, ' '), name...), '(')
	for i, a := range args {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, a...)
	}
	b = append(append(b, ") = "...), result...)
	if took > 0 {
		b = append(b, " <"...)
		b = strconv.AppendFloat(b, took.Seconds(), 'f', 6, 64)
		b = append(b, '>')
	}
	tr.write(append(b, '\n'))
}

// resultText is what strace shows behind the equals sign.
func resultText(row *Row, ret uintptr, err error) string {
	switch e := err.(type) {
	case nil:
		if addressResult[row.Name] {
			return hex(uint64(ret))
		}
		return strconv.FormatInt(int64(ret), 10)
	case linux.Errno:
		return "-1 " + e.Name() + " (" + e.Error() + ")"
	case task.Restart:
		return "? " + restartName(e)
	case task.Replaced:
		return "0"
	}
	return "?"
}

// addressResult names the calls whose result is an address.
var addressResult = map[string]bool{"mmap": true, "brk": true, "mremap": true, "shmat": true}

func restartName(r task.Restart) string {
	switch r {
	case task.RestartSys:
		return "ERESTARTSYS (To be restarted if SA_RESTART is set)"
	case task.RestartNoIntr:
		return "ERESTARTNOINTR (To be restarted)"
	case task.RestartNoHand, task.RestartNoStop:
		return "ERESTARTNOHAND (To be restarted if no handler)"
	}
	return "ERESTART_RESTARTBLOCK (Interrupted by signal)"
}

func hex(n uint64) string {
	if n == 0 {
		return "0"
	}
	return "0x" + strconv.FormatUint(n, 16)
}

// index returns the row of call nr, -1 for none.
func (c *Calls) index(nr uintptr) int {
	if nr >= uintptr(len(c.rows)) || c.rows[nr] == nil {
		return -1
	}
	return int(c.index32[nr])
}
