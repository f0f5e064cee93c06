package control

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Call is one request at the server. Its descriptors are the handler's: it
// takes them out of FDs, and what it leaves there is closed.
type Call struct {
	Op  string
	To  string // the container that it is about; empty is the first
	FDs []int

	args json.RawMessage
	fd   int
	tied map[int32]func() // of the connection, by what is to be undone
}

// Tie has f called when the connection ends, unless Untie is called with the same key
// before: by this call or a later one of the connection.
func (c *Call) Tie(key int32, f func()) { c.tied[key] = f }

// Untie undoes Tie.
func (c *Call) Untie(key int32) { delete(c.tied, key) }

// Decode reads the arguments into v.
func (c *Call) Decode(v any) error {
	if err := json.Unmarshal(c.args, v); err != nil {
		return fmt.Errorf("%s: bad arguments: %w", c.Op, err)
	}
	return nil
}

// TakeFDs gives all descriptors to the caller.
func (c *Call) TakeFDs() []int {
	fds := c.FDs
	c.FDs = nil
	return fds
}

// OnHangup calls f when the client goes away before release is called, and not
// otherwise. A client that waits for an answer sends nothing, so anything it
// sends counts as leaving.
func (c *Call) OnHangup(f func()) (release func(), err error) {
	done, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	go func() {
		defer unix.Close(done)
		fds := []unix.PollFd{
			{Fd: int32(c.fd), Events: unix.POLLIN | unix.POLLRDHUP},
			{Fd: int32(done), Events: unix.POLLIN},
		}
		err := retry(func() error { _, err := unix.Ppoll(fds, nil, nil); return err })
		if err == nil && fds[1].Revents == 0 {
			f()
			// Until release has used the descriptor.
			retry(func() error { _, err := unix.Ppoll(fds[1:], nil, nil); return err })
		}
	}()
	return func() { unix.Write(done, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }, nil
}

// A Handler performs calls. What it returns is sent back as JSON.
type Handler func(c *Call) (any, error)

// Serve accepts connections on the listening socket for as long as the process
// lives. Peers other than user owner are turned away.
func Serve(listenFD int, owner uint32, h Handler) error {
	for {
		fd, _, err := unix.Accept4(listenFD, unix.SOCK_CLOEXEC)
		switch {
		case err == unix.EINTR || err == unix.ECONNABORTED:
			continue
		case err != nil:
			return err
		}
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil || cred.Uid != owner {
			unix.Close(fd)
			continue
		}
		go serveConn(fd, h)
	}
}

func serveConn(fd int, h Handler) {
	defer unix.Close(fd)
	tied := map[int32]func(){}
	defer func() {
		for _, f := range tied {
			f()
		}
	}()
	for {
		var q request
		fds, err := receive(fd, &q)
		if err != nil {
			return
		}
		c := &Call{Op: q.Op, To: q.To, FDs: fds, args: q.Args, fd: fd, tied: tied}
		result, err := h(c)
		closeAll(c.FDs)
		var r reply
		if err == nil {
			r.Result, err = json.Marshal(result)
		}
		if err != nil {
			r.Result = nil
			if !errors.As(err, &r.Error) {
				r.Error = &Error{Message: err.Error()}
			}
		}
		if send(fd, r, nil) != nil {
			return
		}
	}
}
