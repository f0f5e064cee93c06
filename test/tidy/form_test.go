package tidy

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the tree, seen from this package.
const root = "../.."

const (
	fileLines     = 500
	fileLinesHard = 1000
	funcLines     = 70
)

var shrink = flag.Bool("shrink", false, "take entries that are no longer needed out of exceptions.txt, and lower the others")

// words must not stand in the tree: paths of a developer's machine. They are
// written in pieces so that this file does not hold them.
var words = []string{"/wo" + "rk/", "/root/" + "go/", "/var/tmp/" + "cordon"}

// exceptions reads exceptions.txt: a number, then what may be that long.
func exceptions(t *testing.T) map[string]int {
	t.Helper()
	data, err := os.ReadFile("exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]int{}
	for l := range strings.Lines(string(data)) {
		f := strings.Fields(l)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		n, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 2 {
			t.Fatalf("exceptions.txt: cannot read %q", l)
		}
		m[f[1]] = n
	}
	return m
}

func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("no git checkout here: %v", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"), func(s string) bool { return s == "" })
}

// lengths finds what is longer than it should be, by name.
type lengths struct {
	t     *testing.T
	found map[string]int
}

func TestForm(t *testing.T) {
	l := &lengths{t, map[string]int{}}
	for _, name := range tracked(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if bytes.IndexByte(data, 0) >= 0 {
			continue
		}
		checkText(t, name, data)
		if strings.HasSuffix(name, ".go") {
			l.checkGo(name, data)
		}
	}
	l.compare(exceptions(t))
}

func checkText(t *testing.T, name string, data []byte) {
	t.Helper()
	fixture := strings.Contains(name, "testdata/") || name == "LICENSE"
	for i, line := range strings.Split(string(data), "\n") {
		if !fixture && strings.TrimRight(line, " \t\r") != line {
			t.Errorf("%s:%d ends in white space", name, i+1)
		}
		for _, w := range words {
			if strings.Contains(line, w) {
				t.Errorf("%s:%d names %s, which is a place on one machine", name, i+1, w)
			}
		}
	}
	if len(data) > 0 && !fixture && data[len(data)-1] != '\n' {
		t.Errorf("%s does not end in a newline", name)
	}
}

func (l *lengths) checkGo(name string, data []byte) {
	t, lines := l.t, bytes.Count(data, []byte("\n"))
	if lines > fileLinesHard {
		t.Errorf("%s has %d lines; no file has more than %d", name, lines, fileLinesHard)
	} else if lines > fileLines {
		l.found[name] = lines
	}
	if src, err := format.Source(data); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	} else if !bytes.Equal(src, data) {
		t.Errorf("%s is not as gofmt writes it", name)
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, data, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	base := strings.TrimSuffix(filepath.Base(name), ".go")
	unsafeOK := strings.HasSuffix(base, "_unsafe") || strings.HasSuffix(base, "_unsafe_test")
	for _, imp := range f.Imports {
		if imp.Path.Value == `"unsafe"` && !unsafeOK {
			t.Errorf("%s imports unsafe; only files named _unsafe.go do", name)
		}
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Name.Name == "init" && fn.Recv == nil {
			t.Errorf("%s has an init function", fset.Position(fn.Pos()))
		}
		n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
		if n > funcLines && !strings.HasSuffix(name, "_test.go") {
			l.found[name+":"+fn.Name.Name] = n
		}
	}
}

// compare holds what was found against the exceptions.
func (l *lengths) compare(allowed map[string]int) {
	for name, n := range l.found {
		if max, ok := allowed[name]; !ok {
			l.t.Errorf("%s has %d lines (files %d, functions %d): cut it", name, n, fileLines, funcLines)
		} else if n > max {
			l.t.Errorf("%s has grown from %d to %d lines: cut it", name, max, n)
		}
	}
	var keep []string
	for name, max := range allowed {
		n, ok := l.found[name]
		if !ok {
			l.t.Logf("%s no longer needs its exception: run with -shrink", name)
			continue
		}
		keep = append(keep, fmt.Sprintf("%d %s\n", min(n, max), name))
	}
	if !*shrink {
		return
	}
	slices.SortFunc(keep, func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
	text := exceptionsHead + strings.Join(keep, "")
	if err := os.WriteFile("exceptions.txt", []byte(text), 0o644); err != nil {
		l.t.Error(err)
	}
}

const exceptionsHead = `# Files over 500 lines and functions over 70, with their lengths when listed. The
# list only shrinks: nothing may be added and no number raised. go test
# ./test/tidy -shrink takes out what has become shorter.
`

func TestPackagesHaveDocs(t *testing.T) {
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Doc == "" && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
