package check

import (
	"errors"
	"testing"
)

func TestThat(t *testing.T) {
	That(true, "never said")
	NoError(nil, "nothing")
	for want, f := range map[string]func(){
		"cordon bug: 3 < 2":        func() { That(false, "%d < %d", 3, 2) },
		"cordon bug: closing: bad": func() { NoError(errors.New("bad"), "closing") },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %v", got, want)
				}
			}()
			f()
		}()
	}
}

func TestThatDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { That(true, "constant message") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
