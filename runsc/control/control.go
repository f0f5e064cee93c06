package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxFrame bounds a frame: the arguments and environment of a process fit (2
// MiB each at most in Linux), and so does a listing of all stacks.
const maxFrame = 16 << 20

// maxFDs is how many descriptors a request may carry.
const maxFDs = 8 + MaxPassed

// MaxPassed bounds the descriptors that a program gets beside its standard files.
const MaxPassed = 128

type request struct {
	Op   string          `json:"op"`
	To   string          `json:"to,omitempty"`
	Args json.RawMessage `json:"args,omitempty"`
}

type reply struct {
	Error  *Error          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// An Error is a failure that crosses the socket. Kind lets the caller choose
// an exit code.
type Error struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// ErrClosed means that the other side ended the connection.
var ErrClosed = errors.New("the sandbox has ended")

// A Client is a connection to a sandbox.
type Client struct {
	// To names the container of the sandbox that calls are about; empty is the
	// first.
	To string

	fd int
}

// Dial connects to the socket at path.
func Dial(path string) (*Client, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = withShortPath(path, func(short string) error {
		return retry(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: short}) })
	})
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Client{fd: fd}, nil
}

// Close ends the connection.
func (c *Client) Close() { unix.Close(c.fd) }

// Interrupt ends a Call that another goroutine waits in, and all later ones.
func (c *Client) Interrupt() { _ = unix.Shutdown(c.fd, unix.SHUT_RDWR) } // it may have ended by itself

// Call performs op with args and descriptors, and decodes the answer into
// result unless that is nil. It blocks until the answer comes.
func (c *Client) Call(op string, args, result any, fds ...int) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	if err := send(c.fd, request{Op: op, To: c.To, Args: raw}, fds); err != nil {
		return err
	}
	var r reply
	stray, err := receive(c.fd, &r)
	closeAll(stray)
	if err != nil {
		return err
	}
	if r.Error != nil {
		return r.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(r.Result, result)
}

// Listen makes the socket at path, for its owner only.
func Listen(path string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = withShortPath(path, func(short string) error {
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err != nil {
			return err
		}
		return unix.Chmod(short, 0o600)
	})
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("control socket %s: %w", path, err)
	}
	return fd, nil
}

func send(fd int, v any, fds []int) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("a message of %d bytes is too long", len(body))
	}
	frame := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	frame = append(frame, body...)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for len(frame) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.SendmsgN(fd, frame, rights, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			return ErrClosed
		}
		if err != nil {
			return err
		}
		frame, rights = frame[n:], nil
	}
	return nil
}

// receive reads one frame into v and returns the descriptors that came with it.
func receive(fd int, v any) ([]int, error) {
	var head [4]byte
	fds, err := readFull(fd, head[:])
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size > maxFrame {
		closeAll(fds)
		return nil, fmt.Errorf("a message of %d bytes is too long", size)
	}
	body := make([]byte, size)
	more, err := readFull(fd, body)
	fds = append(fds, more...)
	if err == nil && len(fds) > maxFDs {
		err = errors.New("too many descriptors in a message")
	}
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	return fds, nil
}

func readFull(fd int, b []byte) (fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	for done := 0; done < len(b); {
		var n, oobn int
		err := retry(func() (err error) {
			n, oobn, _, _, err = unix.Recvmsg(fd, b[done:], oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		if errors.Is(err, unix.ECONNRESET) || err == nil && n == 0 {
			return fds, ErrClosed
		}
		if err != nil {
			return fds, err
		}
		fds = append(fds, parseRights(oob[:oobn])...)
		done += n
	}
	return fds, nil
}

func parseRights(oob []byte) (fds []int) {
	if len(oob) == 0 {
		return nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// withShortPath calls f with a name of path that fits a socket address.
func withShortPath(path string, f func(string) error) error {
	if len(path) < 108 {
		return f(path)
	}
	i := len(path) - 1
	for i > 0 && path[i] != '/' {
		i--
	}
	dir, err := unix.Open(path[:i], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return f(fmt.Sprintf("/proc/self/fd/%d%s", dir, path[i:]))
}
