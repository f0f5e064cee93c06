package devpts

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/file/tty"
	"cordon/sentry/vfs"
)

// Recorded from Linux: what is locked stays as it is, the rest changes.
func TestLockedSettingsStay(t *testing.T) {
	w := newWorld(t)
	mem := make(memory, 64)
	call := func(f vfs.Ioctler, c *cred.Credentials, req linux.IoctlCmd) error {
		_, err := f.Ioctl(&vfs.Caller{Cred: c}, mem, uint32(req), 0)
		return err
	}
	put := func(v *linux.Termios2) {
		if err := tty.PutTermios(mem, 0, linux.TCGETS, v); err != nil {
			t.Fatal(err)
		}
	}
	ns := cred.NewRootNamespace()
	root := cred.Root(ns, cred.AllCaps)
	var locks linux.Termios2
	locks.Lflag, locks.CC[linux.VINTR] = linux.ECHO, 1
	put(&locks)
	if err := call(w.m, root, linux.TIOCSLCKTRMIOS); err != nil {
		t.Fatal(err)
	}
	if err := call(w.s, root, linux.TCGETS); err != nil {
		t.Fatal(err)
	}
	var now linux.Termios2
	if err := tty.GetTermios(mem, 0, linux.TCSETS, &now); err != nil {
		t.Fatal(err)
	}
	was := now
	now.Lflag &^= linux.ECHO | linux.ICANON
	now.CC[linux.VINTR], now.CC[linux.VKILL] = 7, 9
	put(&now)
	if err := call(w.s, root, linux.TCSETS); err != nil {
		t.Fatal(err)
	}
	got := w.s.pair.termios
	if got.Lflag != was.Lflag&^linux.ICANON || got.CC[linux.VINTR] != was.CC[linux.VINTR] || got.CC[linux.VKILL] != 9 {
		t.Errorf("%+v of %+v", got, was)
	}
	if err := call(w.s, root, linux.TIOCGLCKTRMIOS); err != nil {
		t.Fatal(err)
	}
	var back linux.Termios2
	if err := tty.GetTermios(mem, 0, linux.TCSETS, &back); err != nil || back.Termios != locks.Termios {
		t.Errorf("%v: locks %+v, want %+v", err, back.Termios, locks.Termios)
	}
	if err := call(w.s, cred.Root(ns, 0), linux.TIOCSLCKTRMIOS); err != linux.EPERM {
		t.Errorf("a lock without CAP_SYS_ADMIN: %v", err)
	}
}
