package lock

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write docs/locks.md")

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); !strings.Contains(fmt.Sprint(got), want) {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}

func TestOrderText(t *testing.T) {
	lines, err := parseOrder(order)
	if err != nil {
		t.Fatal(err)
	}
	inOrder := map[string]bool{}
	for _, l := range lines {
		for _, r := range l.ranks {
			inOrder[r] = true
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "order.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		ts, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		declared[ts.Name.Name] = true
		if !inOrder[ts.Name.Name] {
			t.Errorf("rank %s is declared but has no place in the order", ts.Name.Name)
		}
		return false
	})
	for r := range inOrder {
		if !declared[r] {
			t.Errorf("%s stands in the order but is no declared rank", r)
		}
	}
	if _, err := parseOrder("A - a\nA - b"); err == nil {
		t.Error("a rank that stands twice is accepted")
	}
	if _, err := parseOrder("A"); err == nil {
		t.Error("a line without a purpose is accepted")
	}
}

// TestDocs keeps docs/locks.md equal to the order.
func TestDocs(t *testing.T) {
	lines, err := parseOrder(order)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Lock order\n\nGenerated from internal/lock/order.go by `go test ./internal/lock -update`.\n\n" +
		"A lock may be taken only while every lock already held stands on an earlier line.\n" +
		"Locks on one line never nest. `-tags lockcheck` checks this at run time.\n\n" +
		"| | ranks | guards |\n|---|---|---|\n")
	for i, l := range lines {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", i+1, strings.Join(l.ranks, ", "), l.what)
	}
	const path = "../../docs/locks.md"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/locks.md is not the order (%v): run go test ./internal/lock -update", err)
	}
}

func TestMutexExcludes(t *testing.T) {
	var mu Mutex[Pipe]
	var rw RWMutex[MM]
	n, wg := 0, sync.WaitGroup{}
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				rw.RLock()
				rw.RUnlock()
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n != 4000 {
		t.Errorf("%d increments, want 4000", n)
	}
	mu.Lock()
	if mu.TryLock() {
		t.Error("TryLock took a held lock")
	}
	mu.Unlock()
}

func TestTwo(t *testing.T) {
	var a, b Mutex[Inode]
	Two(&a, &b)
	UnlockTwo(&a, &b)
	Two(&b, &a)
	UnlockTwo(&b, &a)
	Two(&a, &a)
	UnlockTwo(&a, &a)
	if !a.TryLock() || !b.TryLock() {
		t.Error("a lock stayed taken")
	}
	a.Unlock()
	b.Unlock()
	var c, d RWMutex[Dentry]
	TwoRW(&c, &d)
	UnlockTwoRW(&c, &d)
}
