package boot

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"cordon/runsc/control"

	"golang.org/x/sys/unix"
)

// OpSave writes the sandbox's state into the file whose descriptor comes with
// the call. The sandbox goes on afterwards.
const OpSave = "save"

// OpCutOff has the sandbox say nothing more to the network, and hear nothing: it is going
// to be saved, and to end here. OpReconnect undoes it.
const (
	OpCutOff    = "cut off"
	OpReconnect = "reconnect"
)

// A Saver is a Kernel whose state can be written and restored from FDs.Image.
type Saver interface {
	Save(w io.Writer) error
	CutOff()
	Reconnect()
}

// cut performs OpCutOff and OpReconnect.
func (b *box) cut(op string) error {
	s, ok := b.kernel.(Saver)
	switch {
	case !ok:
		return errUnable("save its state")
	case op == OpCutOff:
		s.CutOff()
	default:
		s.Reconnect()
	}
	return nil
}

// save performs OpSave.
func (b *box) save(c *control.Call) error {
	s, ok := b.kernel.(Saver)
	if !ok {
		return errUnable("save its state")
	}
	fds := c.TakeFDs()
	if len(fds) != 1 {
		return fmt.Errorf("%s needs 1 descriptor, not %d", OpSave, len(fds))
	}
	f := File(fds[0])
	defer unix.Close(fds[0])
	if st := b.first.currentState(); st != Running && st != Paused {
		return fmt.Errorf("cannot checkpoint a container that is %s", st)
	}
	w := bufio.NewWriterSize(f, imageBuffer)
	return errors.Join(s.Save(w), w.Flush())
}

const imageBuffer = 1 << 20

// A File is a descriptor that is read or written from its offset on.
type File int

// Read implements io.Reader.
func (f File) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write implements io.Writer.
func (f File) Write(p []byte) (done int, err error) {
	for done < len(p) {
		n, err := unix.Write(int(f), p[done:])
		if err != nil && err != unix.EINTR {
			return done, err
		}
		done += max(n, 0)
	}
	return done, nil
}
