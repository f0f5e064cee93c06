package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A tether is what ties a process to the one that starts it: on one pipe it says
// that it stands, or why not, and the end of the other tells it that it is alone.
type tether struct {
	ready, lifeline *os.File // ours
	report, life    *os.File // the child's
	null            *os.File // for what the child has no file
}

func newTether() (t *tether, err error) {
	t = &tether{}
	if t.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		t.ready, t.report, err = os.Pipe()
	}
	if err == nil {
		t.life, t.lifeline, err = os.Pipe()
	}
	if err != nil {
		t.closeChilds()
		t.closeOwn()
		return nil, err
	}
	return t, nil
}

// closeChilds closes what the child has copies of. A nil file is closed already.
func (t *tether) closeChilds() {
	t.null.Close()
	t.report.Close()
	t.life.Close()
}

// closeOwn closes this process's ends, where no child was made.
func (t *tether) closeOwn() {
	t.ready.Close()
	t.lifeline.Close()
}

// socketPair returns two connected unix sockets of a kind (SOCK_STREAM).
func socketPair(kind int, name string) (a, b *os.File, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(p[0]), name), os.NewFile(uintptr(p[1]), name), nil
}
