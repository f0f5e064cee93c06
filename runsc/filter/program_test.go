package filter

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write programs.bin")

// The stored programs are those of the tables: TestProgramAgreesWithTable
// compares what they decide.
func TestStoredProgramsAreCurrent(t *testing.T) {
	if *update {
		data, err := store(Tables())
		if err == nil {
			err = os.WriteFile("programs.bin", data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Skip("programs.bin is written; it counts from the next build on")
	}
	for i, table := range Tables() {
		if _, ok := table.storedProgram(); !ok {
			t.Errorf("%s filter %d has changed: run go test ./runsc/filter -update", table.Zone, i)
		}
	}
}

// A table that is not stored is compiled, and fingerprints see every part of a
// rule but its reason.
func TestChangedTablesAreCompiled(t *testing.T) {
	base := Rule{Name: "read", Args: []Arg{Eq(0, 1)}, Reason: "why"}
	of := func(r ...Rule) uint64 { return Table{Rules: r}.fingerprint() }
	same := base
	same.Reason = "why not"
	if of(base) != of(same) {
		t.Error("the reason changes the fingerprint")
	}
	name, arg, errno, trap := base, base, base, base
	name.Name, arg.Args, errno.Errno, trap.Trap = "write", []Arg{Eq(0, 2)}, 1, true
	seen := map[uint64]bool{of(): true, of(base): true}
	for i, other := range []uint64{of(name), of(arg), of(errno), of(trap), of(base, base)} {
		if seen[other] {
			t.Errorf("change %d has the fingerprint of another table", i)
		}
		seen[other] = true
	}
	p, err := Table{Zone: "test", Rules: []Rule{base}}.Program()
	if err != nil || Check(p) != nil {
		t.Errorf("a table that is not stored: %d bytes, %v", len(p), err)
	}
}
