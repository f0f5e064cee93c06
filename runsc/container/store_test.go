package container

import (
	"os"
	"path/filepath"
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

// TestDamaged lists what can be read beside what cannot, and removes the latter.
func TestDamaged(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(s.Root, "dir", stateFile, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for id, text := range map[string]string{"good": `{"id":"good"}`, "empty": "", "cut": `{"id":`, "other": `{"id":"good"}`} {
		if err := os.MkdirAll(s.dir(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir(id), stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := 0
	all, err := s.ListAll(func(err error) { bad++ })
	if err != nil || len(all) != 1 || all[0].State.ID != "good" || bad != 4 {
		t.Errorf("%d containers, %d damaged, %v", len(all), bad, err)
	}
	for _, id := range []string{"dir", "empty", "cut", "other"} {
		if err := s.Discard(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if entries, err := os.ReadDir(s.Root); err != nil || len(entries) != 1 {
		t.Errorf("%v is left, %v", entries, err)
	}
}
