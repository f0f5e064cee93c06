package stdio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A ConsoleSocket is where the runtime hands over a terminal.
type ConsoleSocket struct {
	dir string
	l   *net.UnixListener
}

// NewConsoleSocket makes one in a directory of its own, whose path is short.
func NewConsoleSocket() (*ConsoleSocket, error) {
	dir, err := os.MkdirTemp("", "pty")
	if err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "pty.sock"), Net: "unix"})
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return &ConsoleSocket{dir: dir, l: l}, nil
}

// Path is what the runtime is told.
func (s *ConsoleSocket) Path() string { return s.l.Addr().String() }

// Close removes the socket.
func (s *ConsoleSocket) Close() {
	s.l.Close()
	os.RemoveAll(s.dir)
}

// receive returns the terminal's master. It is called after the runtime's
// command has ended well, so it does not wait long.
func (s *ConsoleSocket) receive() (*os.File, error) {
	s.l.SetDeadline(time.Now().Add(openPatience))
	conn, err := s.l.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("waiting for the terminal: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(openPatience))
	name := make([]byte, 4096)
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, oob)
	if err != nil {
		return nil, fmt.Errorf("receiving the terminal: %w", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		return nil, errors.New("the runtime sent no terminal")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("the runtime sent no terminal")
	}
	unix.CloseOnExec(fds[0])
	// Reads of it shall end when it is closed.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}

// Connect takes the terminal that came over the socket and copies between it and
// the client's FIFOs.
func (f *Files) Connect(s *ConsoleSocket) error {
	master, err := s.receive()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.master = master
	in, out := f.child[0], f.child[1]
	f.child = [3]*os.File{}
	if in != nil {
		// It ends with the terminal, or at the end of the client's input.
		go func() {
			io.Copy(master, in)
			in.Close()
		}()
	}
	f.copiers.Go(func() {
		if out == nil {
			io.Copy(io.Discard, master)
			return
		}
		// EIO: the last process has closed the terminal.
		io.Copy(out, master)
		out.Close()
	})
	return nil
}

// Resize gives the terminal a new size.
func (f *Files) Resize(rows, cols uint16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.master == nil {
		return errors.New("the process has no terminal")
	}
	conn, err := f.master.SyscallConn()
	if err != nil {
		return err
	}
	var ioctl error
	err = conn.Control(func(fd uintptr) {
		ioctl = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	return errors.Join(err, ioctl)
}
