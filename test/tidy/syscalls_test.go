package tidy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"cordon/sentry/syscalls"
)

// unprogrammed is how many calls that the table says work in full no program of
// test/prog names yet. It only goes down.
const unprogrammed = 260

func TestSyscallPageIsCurrent(t *testing.T) {
	cmd := exec.Command("go", "run", "./cmd/sysdoc", "-print")
	cmd.Dir = root
	var errs bytes.Buffer
	cmd.Stderr = &errs
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("go run ./cmd/sysdoc: %v\n%s", err, errs.Bytes())
	}
	got, err := os.ReadFile(filepath.Join(root, "docs/syscalls.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/syscalls.md is not what the table says: go run ./cmd/sysdoc")
	}
}

func TestSyscallTable(t *testing.T) {
	amd64, arm64, names := map[int]string{}, map[int]string{}, map[string]bool{}
	for i := range syscalls.Table {
		r := &syscalls.Table[i]
		if r.Support == syscalls.Partial && r.Note == "" {
			t.Errorf("%s is partial and has no note that says what does not work", r.Name)
		}
		if names[r.Name] {
			t.Errorf("%s has two rows", r.Name)
		}
		names[r.Name] = true
		for _, n := range []struct {
			number int
			seen   map[int]string
			arch   string
		}{{r.AMD64, amd64, "amd64"}, {r.ARM64, arm64, "arm64"}} {
			if n.number < 0 {
				continue
			}
			if other := n.seen[n.number]; other != "" {
				t.Errorf("%s and %s are both number %d of %s", other, r.Name, n.number, n.arch)
			}
			n.seen[n.number] = r.Name
		}
	}
	if len(amd64) < 370 {
		t.Errorf("the table has %d calls of amd64; Linux 6.12 has more", len(amd64))
	}
}

// TestFullCallsHavePrograms counts the calls that the table says work in full
// and that no program of test/prog names.
func TestFullCallsHavePrograms(t *testing.T) {
	dir := filepath.Join(root, "test/prog/files")
	var text []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		text = append(append(text, b...), '\n')
		return err
	})
	if os.IsNotExist(err) {
		t.Skip("there are no programs")
	} else if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z_][a-z0-9_]*`).FindAll(text, -1) {
		named[string(w)] = true
	}
	var missing []string
	for i := range syscalls.Table {
		if r := &syscalls.Table[i]; r.Support == syscalls.Full && !named[r.Name] {
			missing = append(missing, r.Name)
		}
	}
	if len(missing) > unprogrammed {
		t.Errorf("%d calls that work in full are in no program, %d were allowed: %v", len(missing), unprogrammed, missing)
	}
	if len(missing) < unprogrammed {
		t.Logf("only %d are missing now: lower unprogrammed", len(missing))
	}
}
