package syscalls

import (
	"reflect"
	"strings"
	"testing"

	"cordon/internal/linux"
)

func TestTable(t *testing.T) {
	t.Run("has every call of Linux once, with its numbers", func(t *testing.T) {
		if len(Table) != len(linux.SyscallNumbers()) {
			t.Errorf("%d rows, want %d", len(Table), len(linux.SyscallNumbers()))
		}
		type numbers struct{ amd64, arm64 int }
		want := make(map[string]numbers)
		for _, s := range linux.SyscallNumbers() {
			want[s.Name] = numbers{int(s.AMD64), int(s.ARM64)}
		}
		for i := range Table {
			r := &Table[i]
			if got := (numbers{r.AMD64, r.ARM64}); want[r.Name] != got {
				t.Errorf("%s: numbers %v, want %v", r.Name, got, want[r.Name])
			}
			delete(want, r.Name)
		}
		for name := range want {
			t.Errorf("no row for %s", name)
		}
	})
	t.Run("says what is missing", func(t *testing.T) {
		for i := range Table {
			r := &Table[i]
			if has := r.call != nil; has != (r.Support != None) {
				t.Errorf("%s is %v, with a handler: %v", r.Name, r.Support, has)
			}
			if (r.Note != "") != (r.Support != Full) {
				t.Errorf("%s is %v, with the note %q", r.Name, r.Support, r.Note)
			}
			if strings.HasSuffix(r.Note, ".") || strings.Contains(r.Note, "\n") {
				t.Errorf("%s: the note is not one phrase: %q", r.Name, r.Note)
			}
		}
	})
}

func TestTable_arguments_are_plain(t *testing.T) {
	for i := range Table {
		r := &Table[i]
		if len(r.args) > 6 {
			t.Errorf("%s has %d arguments", r.Name, len(r.args))
		}
		for k, a := range r.args {
			switch a.Kind() {
			case reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16, reflect.Int32, reflect.Uint32, reflect.Int64,
				reflect.Uint64, reflect.Int, reflect.Uint, reflect.Uintptr:
			default:
				t.Errorf("%s: argument %d is a %v", r.Name, k, a)
			}
			if m, ok := a.MethodByName("Elem"); ok && !plain(m.Type.Out(0)) {
				t.Errorf("%s: argument %d points at a %v, which any bytes cannot be", r.Name, k, m.Type.Out(0))
			}
		}
	}
}

// plain reports whether any bytes are a value of ty, in a guest's layout.
func plain(ty reflect.Type) bool {
	switch ty.Kind() {
	case reflect.Struct:
		for i := range ty.NumField() {
			if !plain(ty.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(ty.Elem())
	}
	return ty.Kind() >= reflect.Int8 && ty.Kind() <= reflect.Int64 || ty.Kind() >= reflect.Uint8 && ty.Kind() <= reflect.Uint64
}
