package container

import (
	"os"
	"testing"
)

// A sandbox of do whose name is taken by one that lives gets another; a container
// does not, and a name that a dead one had is free.
func TestClaim(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	alive, err := FindProc(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		state State
		want  string
		err   error
	}{
		{State{ID: "do-7", Ephemeral: true, Boot: alive}, "do-7", nil},
		{State{ID: "do-7", Ephemeral: true, Boot: alive}, "do-7.1", nil},
		{State{ID: "do-7", Boot: alive}, "do-7", ErrExist},
		{State{ID: "do-8", Ephemeral: true}, "do-8", nil},
		{State{ID: "do-8", Ephemeral: true}, "do-8", nil},
	} {
		lock, err := s.claim(&c.state)
		if err != c.err || c.state.ID != c.want {
			t.Errorf("%v: %q, %v, want %q, %v", c.state.Boot, c.state.ID, err, c.want, c.err)
		}
		if lock != nil {
			lock.Close()
		}
	}
}
