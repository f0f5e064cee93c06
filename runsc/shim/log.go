package shim

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A log writes lines in the form of containerd's own log, into which they go.
type log struct {
	// immutable
	debug bool
	id    string

	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (l *log) line(level, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Nobody may read it.
	fmt.Fprintf(l.w, "time=%q level=%s msg=%q runtime=io.containerd.runsc.v1 shim=%s\n",
		time.Now().Format(time.RFC3339Nano), level, fmt.Sprintf(format, args...), l.id)
}

func (l *log) warnf(format string, args ...any) { l.line("warning", format, args...) }
func (l *log) debugf(format string, args ...any) {
	if l.debug {
		l.line("debug", format, args...)
	}
}

// openLogFIFO makes the FIFO that containerd reads this process's standard
// error, so that crashes show too. A reading end is kept: containerd may go away
// for a time, and a full FIFO loses lines instead of blocking.
func openLogFIFO() error {
	both, err := unix.Open("log", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "log", Err: err}
	}
	return unix.Dup3(both, 2, 0)
}
