package mm

import (
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

// What the host has no page for is EFAULT to our own accesses, after waits for room.
func TestRefusedPagesAreEFAULT(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	waits := 0
	m.cfg.Memory.OnRefused(func() { waits++ })
	if err := unix.Ftruncate(int(m.cfg.Memory.FD()), 0); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	for name, access := range map[string]func() error{
		"CopyIn":       func() error { _, err := m.CopyIn(at, b); return err },
		"CopyOut":      func() error { _, err := m.CopyOut(at, b); return err },
		"ZeroOut":      func() error { _, err := m.ZeroOut(at, 8); return err },
		"CopyInString": func() error { _, err := m.CopyInString(at, 8); return err },
		"LoadUint32":   func() error { _, err := m.LoadUint32(at); return err },
		"StoreUint32":  func() error { return m.StoreUint32(at, 1) },
		"Blocks of ours": func() error {
			_, err := m.Blocks(at, 8, usermem.Write, func([][]byte) (uint64, error) { return 0, linux.EFAULT })
			return err
		},
	} {
		waits = 0
		if err := access(); err != linux.EFAULT {
			t.Errorf("%s: %v", name, err)
		}
		if waits == 0 {
			t.Errorf("%s did not wait for room", name)
		}
	}
	m.Dying()
	waits = 0
	if _, err := m.CopyOut(at, b); err != linux.EFAULT || waits != 0 {
		t.Errorf("%v after %d waits of one that is dying", err, waits)
	}
	// The space's pages are the file's again.
	if err := unix.Ftruncate(int(m.cfg.Memory.FD()), 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CopyOut(at, b); err != nil {
		t.Error(err)
	}
	m.DecUsers()
}
