package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"cordon/sentry/syscalls"
)

// secondsSet marks a field that counts seconds: the guest keeps it small, so
// that calls end.
const secondsSet = -2

// A grammar numbers the value sets and structures that calls refer to.
type grammar struct {
	constants map[string][]uint64 // by the name of a type of internal/linux

	sets  []string // type names; their numbers are indexes
	types []reflect.Type
}

// constants evaluates the constants of a package, by the name of their type.
func constants(dir string) (map[string][]uint64, error) {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no Go files in %s: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check("linux", fset, files, nil)
	if err != nil {
		return nil, err
	}
	out := map[string][]uint64{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok {
			continue
		}
		named, ok := c.Type().(*types.Named)
		if !ok || constant.ToInt(c.Val()).Kind() != constant.Int {
			continue
		}
		v, exact := constant.Uint64Val(constant.ToInt(c.Val()))
		if !exact {
			i, _ := constant.Int64Val(constant.ToInt(c.Val()))
			v = uint64(i)
		}
		out[named.Obj().Name()] = append(out[named.Obj().Name()], v)
	}
	return out, nil
}

// set returns the number of the value set of a type, or -1.
func (g *grammar) set(t reflect.Type) int {
	if !strings.HasSuffix(t.PkgPath(), "internal/linux") || len(g.constants[t.Name()]) == 0 {
		return -1
	}
	if i := slices.Index(g.sets, t.Name()); i >= 0 {
		return i
	}
	g.sets = append(g.sets, t.Name())
	return len(g.sets) - 1
}

func (g *grammar) typeNumber(t reflect.Type) int {
	if i := slices.Index(g.types, t); i >= 0 {
		return i
	}
	g.types = append(g.types, t)
	return len(g.types) - 1
}

// kinds of arg's types, as calls.c reads them.
var kinds = map[string]byte{"Path": 'p', "CString": 'c', "StringVec": 's', "InBytes": 'b', "OutBytes": 'w', "InVec": 'v', "OutVec": 'v',
	"Addr": 'a', "Hex": 'h', "Size": 'n', "Off": 'n', "Count": 'n', "PID": 'd', "FD": 'f'}

func (g *grammar) argument(t reflect.Type, call string) string {
	name, _, generic := strings.Cut(t.Name(), "[")
	if generic {
		kind := map[string]string{"In": "i", "InOut": "i", "Out": "o"}[name]
		elem, _ := t.MethodByName("Elem")
		return fmt.Sprintf("%s %d", kind, g.typeNumber(elem.Type.Out(0)))
	}
	if k, ok := kinds[name]; ok {
		return string(k) + " 0"
	}
	if s := g.set(t); s >= 0 {
		return fmt.Sprintf("m %d", s)
	}
	if name == "int32" && (strings.Contains(call, "poll") || strings.Contains(call, "epoll")) {
		return "t 0"
	}
	return "x 0"
}

// fields flattens a structure; long arrays show their first elements.
func (g *grammar) fields(t reflect.Type, name string, off uintptr, out []string) []string {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			out = g.fields(f.Type, f.Name, off+f.Offset, out)
		}
		return out
	case reflect.Array:
		for i := range min(t.Len(), 8) {
			out = g.fields(t.Elem(), name, off+uintptr(i)*t.Elem().Size(), out)
		}
		return out
	}
	set := g.set(t)
	if name == "Sec" {
		set = secondsSet
	}
	return append(out, fmt.Sprintf("%d %d %d", off, t.Size(), set))
}

// write writes the grammar of all calls that exist to a file.
func (g *grammar) write(path string, only []string) (int, error) {
	var calls, structs, sets []string
	for i := range syscalls.Table {
		r := &syscalls.Table[i]
		if r.AMD64 < 0 || r.Support == syscalls.None && i%4 != 0 || len(only) > 0 && !slices.Contains(only, r.Name) {
			continue
		}
		line := fmt.Sprintf("%d %s %d", r.AMD64, r.Name, len(r.Arguments()))
		for _, a := range r.Arguments() {
			line += "  " + g.argument(a, r.Name)
		}
		calls = append(calls, line)
	}
	for _, t := range g.types { // fields name sets, but no further types
		f := g.fields(t, "", 0, nil)
		structs = append(structs, fmt.Sprintf("%d %d %s", t.Size(), len(f), strings.Join(f, " ")))
	}
	for _, s := range g.sets {
		v := g.constants[s]
		sets = append(sets, fmt.Sprintf("%d %s", len(v), strings.Trim(fmt.Sprint(v), "[]")))
	}
	text := fmt.Sprintf("%d %d %d\n%s\n%s\n%s\n", len(sets), len(structs), len(calls),
		strings.Join(sets, "\n"), strings.Join(structs, "\n"), strings.Join(calls, "\n"))
	return len(calls), os.WriteFile(path, []byte(text), 0o644)
}
