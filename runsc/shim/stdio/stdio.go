package stdio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Names are what the client calls the three files. An empty one is nothing.
type Names struct {
	Stdin, Stdout, Stderr string
	Terminal              bool
}

// An Owner says whose files they are: the container, for a logging program, and
// the user and group that FIFOs and pipes are given, who may then open them again by
// /dev/stdout.
type Owner struct {
	Namespace, ID string
	UID, GID      uint32
}

// Files are the connections of one process.
type Files struct {
	// immutable
	names Names

	mu sync.Mutex
	// guarded by mu
	child   [3]*os.File // until Started
	keep    []*os.File  // until Close
	stdin   *os.File    // a writing end, until CloseStdin
	master  *os.File    // of the terminal
	logger  *logger
	copiers sync.WaitGroup
}

// openPatience is how long a client may take to open its end of a FIFO.
const openPatience = 10 * time.Second

// Open opens what the names say.
func Open(ctx context.Context, n Names, o Owner) (*Files, error) {
	f := &Files{names: n}
	err := f.open(ctx, o)
	if err == nil {
		err = f.give(o)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// give hands the process's FIFOs and pipes to the owner. They are root's anyhow.
func (f *Files) give(o Owner) error {
	if o.UID == 0 && o.GID == 0 {
		return nil
	}
	for _, file := range f.child {
		if file == nil {
			continue
		}
		st, err := file.Stat()
		if err == nil && st.Mode()&os.ModeNamedPipe != 0 {
			err = file.Chown(int(o.UID), int(o.GID))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Files) open(ctx context.Context, o Owner) error {
	if f.names.Stdin != "" {
		if err := f.openInput(f.names.Stdin); err != nil {
			return err
		}
	}
	u, err := url.Parse(f.names.Stdout)
	if err != nil {
		return fmt.Errorf("standard output %q: %w", f.names.Stdout, err)
	}
	switch u.Scheme {
	case "", "fifo":
		return f.openOutputs(ctx)
	case "file":
		return f.openFile(u.Path)
	case "binary":
		return f.openLogger(u, o)
	}
	return fmt.Errorf("standard output %q: unknown scheme %q", f.names.Stdout, u.Scheme)
}

// openInput opens a FIFO to read from, and to hold it open.
func (f *Files) openInput(path string) error {
	path = strings.TrimPrefix(path, "fifo://")
	// With both ends open neither of the others blocks.
	both, err := os.OpenFile(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer both.Close()
	if f.stdin, err = openBlocking(path, unix.O_WRONLY); err != nil {
		return err
	}
	f.child[0], err = openBlocking(path, unix.O_RDONLY)
	return err
}

// openOutputs opens the FIFOs to write to, each when the client has it open: one
// that opened it after the process's end would never see that end.
func (f *Files) openOutputs(ctx context.Context) error {
	for i, name := range []string{f.names.Stdout, f.names.Stderr} {
		name = strings.TrimPrefix(name, "fifo://")
		if name == "" || i == 1 && f.names.Terminal {
			continue
		}
		w, err := openWriter(ctx, name)
		if err != nil {
			return err
		}
		f.child[1+i] = w
		r, err := openBlocking(name, unix.O_RDONLY)
		if err != nil {
			return err
		}
		f.keep = append(f.keep, r)
	}
	return nil
}

// openWriter opens a FIFO for writing when it has a reader. What is no FIFO is
// opened as it is.
func openWriter(ctx context.Context, path string) (*os.File, error) {
	deadline := time.Now().Add(openPatience)
	for {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_APPEND, 0)
		if err == nil {
			if err := unix.SetNonblock(fd, false); err != nil {
				unix.Close(fd)
				return nil, err
			}
			return os.NewFile(uintptr(fd), path), nil
		}
		if !errors.Is(err, unix.ENXIO) {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s: nobody reads it", path)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// openBlocking opens a file whose reads and writes block, as a program expects
// of its standard files; os.OpenFile would make a FIFO's not block.
func openBlocking(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openFile sends both outputs to the end of a file.
func (f *Files) openFile(path string) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	f.child[1] = w
	f.child[2], err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	return err
}

// ForProcess are the files to start the process with. With a terminal there are
// none: it gets the terminal.
func (f *Files) ForProcess() [3]*os.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names.Terminal {
		return [3]*os.File{}
	}
	return f.child
}

// Started closes what the process has by now.
func (f *Files) Started() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names.Terminal {
		return
	}
	f.closeChildLocked()
}

func (f *Files) closeChildLocked() {
	for i, c := range f.child {
		if c != nil {
			c.Close()
			f.child[i] = nil
		}
	}
}

// CloseStdin lets the process see the end of its input once the client has
// closed it too. A terminal has no such end.
func (f *Files) CloseStdin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stdin != nil {
		f.stdin.Close()
		f.stdin = nil
	}
}

// Close closes everything. It is called when the process has ended.
func (f *Files) Close() {
	f.CloseStdin()
	f.mu.Lock()
	master, log := f.master, f.logger
	f.mu.Unlock()
	if master != nil {
		// What the process wrote last is still on its way.
		f.waitCopiers()
		master.Close()
	}
	f.mu.Lock()
	f.closeChildLocked()
	for _, k := range f.keep {
		k.Close()
	}
	f.keep = nil
	f.mu.Unlock()
	if log != nil {
		log.close()
	}
}

// drainPatience is how long a client may take to read the rest of a terminal's
// output.
const drainPatience = 5 * time.Second

func (f *Files) waitCopiers() {
	done := make(chan struct{})
	go func() {
		f.copiers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainPatience):
	}
}
