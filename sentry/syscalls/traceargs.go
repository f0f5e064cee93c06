package syscalls

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
)

// maxTraceBytes is how much of a buffer or a string the trace shows, as
// strace's default.
const maxTraceBytes = 32

// A line is one call while it is formatted.
type line struct {
	t      *task.Task
	args   *[6]uintptr
	ret    uintptr
	failed bool
}

// A formatter prints the argument at index k of a line. after: it is one that
// the call fills.
type formatter struct {
	after  bool
	format func(l *line, k int) string
}

// formatterOf derives the formatter of a parameter from its type.
func formatterOf(ty reflect.Type) formatter {
	switch ty {
	case reflect.TypeFor[arg.Path](), reflect.TypeFor[arg.CString]():
		return formatter{format: func(l *line, k int) string { return l.str(uint64(l.args[k])) }}
	case reflect.TypeFor[arg.StringVec]():
		return formatter{format: (*line).strings}
	case reflect.TypeFor[arg.InBytes]():
		return formatter{format: func(l *line, k int) string { return l.buffer(uint64(l.args[k]), uint64(l.next(k))) }}
	case reflect.TypeFor[arg.OutBytes]():
		return formatter{after: true, format: func(l *line, k int) string { return l.buffer(uint64(l.args[k]), l.filled()) }}
	case reflect.TypeFor[arg.InVec]():
		return formatter{format: (*line).iovec}
	case reflect.TypeFor[arg.OutVec]():
		return formatter{after: true, format: (*line).iovec}
	case reflect.TypeFor[arg.Mode]():
		return formatter{format: func(l *line, k int) string { return "0" + strconv.FormatUint(uint64(uint32(l.args[k])), 8) }}
	case reflect.TypeFor[arg.Addr](), reflect.TypeFor[arg.Hex]():
		return formatter{format: func(l *line, k int) string {
			if l.args[k] == 0 && ty == reflect.TypeFor[arg.Addr]() {
				return "NULL"
			}
			return hex(uint64(l.args[k]))
		}}
	}
	if name := ty.Name(); ty.PkgPath() == "cordon/sentry/arg" && ty.Kind() == reflect.Uintptr {
		m, found := ty.MethodByName("Elem")
		if found && (strings.HasPrefix(name, "In[") || strings.HasPrefix(name, "Out[") || strings.HasPrefix(name, "InOut[")) {
			return pointerFormatter(m.Type.Out(0), !strings.HasPrefix(name, "In["))
		}
	}
	return scalarFormatter(ty)
}

// pointerFormatter prints the struct behind a pointer.
func pointerFormatter(elem reflect.Type, after bool) formatter {
	return formatter{after: after, format: func(l *line, k int) string {
		addr := uint64(l.args[k])
		if addr == 0 {
			return "NULL"
		}
		if after && l.failed {
			return hex(addr)
		}
		b := make([]byte, elem.Size())
		if n, err := l.t.MM().CopyIn(addr, b); err != nil || n < len(b) {
			return hex(addr)
		}
		s, _ := formatValue(elem, b)
		if elem.Kind() != reflect.Struct {
			return "[" + s + "]"
		}
		return s
	}}
}

// scalarFormatter prints a register by its type's width, sign and String.
func scalarFormatter(ty reflect.Type) formatter {
	size := int(ty.Size())
	return formatter{format: func(l *line, k int) string {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(l.args[k]))
		s, _ := formatValue(ty, b[:size])
		return s
	}}
}

// formatValue prints a value of plain type ty from its memory.
func formatValue(ty reflect.Type, b []byte) (string, []byte) {
	size := int(ty.Size())
	rest := b[size:]
	switch ty.Kind() {
	case reflect.Struct:
		var parts []string
		for i := range ty.NumField() {
			f := ty.Field(i)
			if f.Name == "_" {
				continue
			}
			s, _ := formatValue(f.Type, b[f.Offset:])
			parts = append(parts, fieldName(f)+"="+s)
		}
		return "{" + strings.Join(parts, ", ") + "}", rest
	case reflect.Array:
		if ty.Elem().Kind() == reflect.Uint8 {
			return quote(b[:min(size, maxTraceBytes)], size > maxTraceBytes), rest
		}
		var parts []string
		for i := range ty.Len() {
			if i >= 8 {
				parts = append(parts, "...")
				break
			}
			s, _ := formatValue(ty.Elem(), b[i*int(ty.Elem().Size()):])
			parts = append(parts, s)
		}
		return "[" + strings.Join(parts, ", ") + "]", rest
	}
	v := reflect.New(ty).Elem()
	var raw [8]byte
	copy(raw[:], b[:size])
	n := binary.LittleEndian.Uint64(raw[:])
	if v.CanInt() {
		shift := 64 - 8*size
		v.SetInt(int64(n<<shift) >> shift)
	} else if v.CanUint() {
		v.SetUint(n)
	}
	return fmt.Sprint(v.Interface()), rest
}

// fieldName is a struct field's C name where the declaration gives one.
func fieldName(f reflect.StructField) string {
	if n := f.Tag.Get("c"); n != "" {
		return n
	}
	return strings.ToLower(f.Name)
}

func (l *line) next(k int) uintptr {
	if k+1 < len(l.args) {
		return l.args[k+1]
	}
	return 0
}

// filled is how much of an output buffer the call filled.
func (l *line) filled() uint64 {
	if l.failed {
		return 0
	}
	return uint64(l.ret)
}

func (l *line) buffer(addr, n uint64) string {
	if addr == 0 {
		return "NULL"
	}
	if l.failed {
		return hex(addr)
	}
	b := make([]byte, min(n, maxTraceBytes))
	k, err := l.t.MM().CopyIn(addr, b)
	if err != nil && k == 0 && n > 0 {
		return hex(addr)
	}
	return quote(b[:k], n > maxTraceBytes)
}

func (l *line) str(addr uint64) string {
	if addr == 0 {
		return "NULL"
	}
	s, err := l.t.MM().CopyInString(addr, arg.PathMax)
	if err != nil {
		return hex(addr)
	}
	return quote([]byte(s), false)
}

// strings prints argv; the environment, the parameter behind it, by its count.
func (l *line) strings(k int) string {
	list, err := loadStrings(l.t, arg.StringVec(l.args[k]))
	if err != nil {
		return hex(uint64(l.args[k]))
	}
	if k > 1 && len(list) > 0 {
		return hex(uint64(l.args[k])) + " /* " + strconv.Itoa(len(list)) + " vars */"
	}
	var parts []string
	for _, s := range list {
		parts = append(parts, quote([]byte(s), false))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (l *line) iovec(k int) string {
	n := int(l.next(k))
	if n < 0 || n > arg.MaxIOV {
		return hex(uint64(l.args[k]))
	}
	iov, err := arg.In[linux.Iovec](l.args[k]).LoadAll(l.t.MM(), n)
	if err != nil {
		return hex(uint64(l.args[k]))
	}
	var parts []string
	for i, v := range iov {
		if i >= 8 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, "{iov_base="+l.buffer(v.Base, min(v.Len, usermem.MaxIO))+", iov_len="+strconv.FormatUint(v.Len, 10)+"}")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// quote prints bytes as strace does: C escapes, octal for the rest.
func quote(b []byte, more bool) string {
	var s strings.Builder
	s.WriteByte('"')
	for i, c := range b {
		switch c {
		case '\n':
			s.WriteString(`\n`)
		case '\t':
			s.WriteString(`\t`)
		case '\r':
			s.WriteString(`\r`)
		case '\v':
			s.WriteString(`\v`)
		case '\f':
			s.WriteString(`\f`)
		case '"':
			s.WriteString(`\"`)
		case '\\':
			s.WriteString(`\\`)
		default:
			if c >= 0x20 && c < 0x7f {
				s.WriteByte(c)
				continue
			}
			o := strconv.FormatUint(uint64(c), 8)
			if i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9' {
				o = strings.Repeat("0", 3-len(o)) + o
			}
			s.WriteString(`\` + o)
		}
	}
	s.WriteByte('"')
	if more {
		s.WriteString("...")
	}
	return s.String()
}
