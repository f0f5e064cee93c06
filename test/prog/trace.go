package prog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"cordon/internal/linux"
)

// A Run is what one program left.
type Run struct {
	Index  int
	Status int32 // of its first process; -1: it was ended after its time
	Tasks  []Task
}

// A Task is the records of one task.
type Task struct {
	Parent, Index uint32
	Records       []byte
}

var errTrace = errors.New("prog: the trace is cut short")

// ReadRuns decodes what interp/vm.c writes. What was complete is returned with
// an error too.
func ReadRuns(b []byte) ([]Run, error) {
	le := binary.LittleEndian
	var runs []Run
	for len(b) > 0 {
		if len(b) < 16 || le.Uint32(b) != 0x43415254 {
			return runs, errTrace
		}
		r := Run{Index: int(le.Uint32(b[4:])), Status: int32(le.Uint32(b[8:]))}
		n := le.Uint32(b[12:])
		b = b[16:]
		for range n {
			if len(b) < 16 {
				return runs, errTrace
			}
			t := Task{Parent: le.Uint32(b), Index: le.Uint32(b[4:])}
			size := int(le.Uint32(b[12:]))
			if b = b[16:]; len(b) < size {
				return runs, errTrace
			}
			t.Records, b = b[:size], b[size:]
			r.Tasks = append(r.Tasks, t)
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// ReadTrace decodes the memory that a program's tasks share.
func ReadTrace(mem []byte, status int32) Run {
	le := binary.LittleEndian
	r := Run{Status: status}
	for k := range min(le.Uint64(mem[8:]), Slots) {
		s := mem[(k+1)*SlotSize:]
		r.Tasks = append(r.Tasks, Task{Parent: le.Uint32(s), Index: le.Uint32(s[4:]), Records: s[32 : 32+le.Uint32(s[12:])]})
	}
	return r
}

// namer names values by first appearance.
type namer struct {
	kind  string
	names map[uint64]string
}

func (n *namer) name(v uint64) string {
	s, ok := n.names[v]
	if !ok {
		s = fmt.Sprintf("%s#%d", n.kind, len(n.names)+1)
		n.names[v] = s
	}
	return s
}

type formatter struct {
	p           *Program
	pids, addrs namer
}

// Format returns a run's trace as text.
func (p *Program) Format(r *Run) string {
	f := &formatter{p: p, pids: namer{"pid", map[uint64]string{}}, addrs: namer{"addr", map[uint64]string{}}}
	names := make([]string, len(r.Tasks))
	order := make([]int, len(r.Tasks))
	for k, t := range r.Tasks {
		order[k] = k
		if k == 0 {
			names[k] = "0"
		} else if int(t.Parent) < k {
			names[k] = names[t.Parent] + "." + strconv.Itoa(int(t.Index))
		}
	}
	sort.Slice(order, func(a, b int) bool { return lessTask(names[order[a]], names[order[b]]) })
	var out strings.Builder
	for _, k := range order {
		if t := r.Tasks[k]; len(t.Records) > 0 || k == 0 {
			fmt.Fprintf(&out, "task %s\n", names[k])
			f.records(&out, t.Records)
		}
	}
	if r.Status == -1 {
		out.WriteString("end: no end in time\n")
	} else {
		fmt.Fprintf(&out, "end: %s\n", status(uint32(r.Status)))
	}
	return out.String()
}

// lessTask orders 0.2 before 0.10.
func lessTask(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for k := 0; k < len(x) && k < len(y); k++ {
		if x[k] != y[k] {
			m, _ := strconv.Atoi(x[k])
			n, _ := strconv.Atoi(y[k])
			return m < n
		}
	}
	return len(x) < len(y)
}

func (f *formatter) records(out *strings.Builder, b []byte) {
	le := binary.LittleEndian
	for len(b) >= 16 {
		kind, site, v := le.Uint32(b), le.Uint32(b[4:]), le.Uint64(b[8:])
		b = b[16:]
		if int(site) >= len(f.p.Sites) {
			fmt.Fprintf(out, "  record of no site\n")
			return
		}
		s := f.p.Sites[site]
		text := ""
		switch kind {
		case 1:
			text = f.result(v, s.Form)
		case 2:
			text = f.value(v, s.Form)
		case 3:
			n := min(int((v+7)&^7), len(b))
			text = showBytes(b[:min(int(v), n)], s.Form)
			b = b[n:]
		}
		fmt.Fprintf(out, "  %s -> %s\n", s.Text, text)
	}
}

func (f *formatter) result(v uint64, as form) string {
	if e := -int64(v); e > 0 && e < 4096 {
		return "-1 " + linux.Errno(e).Name()
	}
	return f.value(v, as)
}

func (f *formatter) value(v uint64, as form) string {
	switch as {
	case formHex:
		return fmt.Sprintf("%#x", v)
	case formOct:
		return fmt.Sprintf("%#o", v)
	case formPID:
		if v == 0 || int64(v) < 0 {
			return strconv.Itoa(int(v))
		}
		return f.pids.name(v)
	case formAddr:
		if v == 0 {
			return "0"
		}
		return f.addrs.name(v)
	case formErr:
		return f.result(v, formDec)
	case formStatus:
		return status(uint32(v))
	}
	return strconv.FormatInt(int64(v), 10)
}

// status shows what wait4 stores.
func status(s uint32) string {
	switch {
	case s == 0xffff:
		return "continued"
	case s&0xff == 0x7f:
		return fmt.Sprintf("stopped by %d", s>>8)
	case s&0x7f != 0:
		core := ""
		if s&0x80 != 0 {
			core = ", core"
		}
		return fmt.Sprintf("killed by %d%s", s&0x7f, core)
	}
	return fmt.Sprintf("exit %d", s>>8&0xff)
}

func showBytes(b []byte, as form) string {
	switch as {
	case formBytes:
		return fmt.Sprintf("[% x]", b)
	case formCStr:
		if n := bytes.IndexByte(b, 0); n >= 0 {
			b = b[:n]
		}
	}
	return strconv.Quote(string(b))
}
