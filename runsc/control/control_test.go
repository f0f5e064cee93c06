package control

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// serve starts a server in a directory and returns its socket's path.
func serve(t *testing.T, owner uint32, h Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(fd, owner, h)
	}()
	t.Cleanup(func() {
		unix.Shutdown(fd, unix.SHUT_RDWR) // ends accept
		<-done
		unix.Close(fd)
	})
	return path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func me() uint32 { return uint32(os.Geteuid()) }

func echo(c *Call) (any, error) {
	switch c.Op {
	case "echo":
		var s string
		err := c.Decode(&s)
		return s, err
	case "fail":
		return nil, &Error{Kind: "special", Message: "it failed"}
	case "write":
		for _, fd := range c.FDs {
			unix.Write(fd, []byte("hello"))
		}
		return len(c.FDs), nil
	}
	return nil, errors.New("unknown")
}

func TestCall(t *testing.T) {
	c := dial(t, serve(t, me(), echo))
	for _, want := range []string{"", "text", strings.Repeat("long ", 500_000)} {
		var got string
		if err := c.Call("echo", want, &got); err != nil || got != want {
			t.Errorf("%d bytes came back as %d, %v", len(want), len(got), err)
		}
	}
	var e *Error
	if err := c.Call("fail", nil, nil); !errors.As(err, &e) || e.Kind != "special" || e.Message != "it failed" {
		t.Errorf("got %v", err)
	}
	if err := c.Call("echo", 5, nil); err == nil || !strings.Contains(err.Error(), "bad arguments") {
		t.Errorf("a number for a string: %v", err)
	}
	if err := c.Call("nothing", nil, nil); err == nil {
		t.Error("an unknown call succeeds")
	}
}

func TestDescriptorsTravelAndAreClosed(t *testing.T) {
	c := dial(t, serve(t, me(), echo))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var n int
	if err := c.Call("write", nil, &n, int(w.Fd())); err != nil || n != 1 {
		t.Fatalf("%d descriptors, %v", n, err)
	}
	w.Close()
	// The end of file shows that the server kept no copy.
	buf := make([]byte, 16)
	if n, _ := r.Read(buf); string(buf[:n]) != "hello" {
		t.Errorf("read %q", buf[:n])
	}
	if n, err := r.Read(buf); n != 0 || err == nil {
		t.Errorf("read %d more bytes, %v", n, err)
	}
}

func TestStrangersAreTurnedAway(t *testing.T) {
	c := dial(t, serve(t, me()+1, echo))
	if err := c.Call("echo", "x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestBrokenFramesEndTheConnectionOnly(t *testing.T) {
	path := serve(t, me(), echo)
	for _, frame := range [][]byte{
		binary.LittleEndian.AppendUint32(nil, maxFrame+1),
		append(binary.LittleEndian.AppendUint32(nil, 3), "{{{"...),
		append(binary.LittleEndian.AppendUint32(nil, 4), "[42]"...),
		{1, 2},
	} {
		c := dial(t, path)
		unix.Write(c.fd, frame)
		unix.Shutdown(c.fd, unix.SHUT_WR)
		var r reply
		if _, err := receive(c.fd, &r); !errors.Is(err, ErrClosed) {
			t.Errorf("frame %q: %v, %+v", frame, err, r)
		}
	}
	var got string
	if err := dial(t, path).Call("echo", "still here", &got); err != nil || got != "still here" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOnHangup(t *testing.T) {
	gone := make(chan string, 1)
	path := serve(t, me(), func(c *Call) (any, error) {
		release, err := c.OnHangup(func() { gone <- c.Op })
		if err != nil {
			return nil, err
		}
		defer release()
		if c.Op == "wait" {
			<-gone
			gone <- "seen"
		}
		return nil, nil
	})
	c := dial(t, path)
	if err := c.Call("short", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := send(c.fd, request{Op: "wait"}, nil); err != nil {
		t.Fatal(err)
	}
	unix.Shutdown(c.fd, unix.SHUT_RDWR)
	if s := <-gone; s != "wait" && s != "seen" {
		t.Errorf("got %q", s)
	}
}

func TestLongPaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	fd, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	dial(t, path)
}

// TestTie undoes what a connection began that ends, and nothing that was untied.
func TestTie(t *testing.T) {
	undone := make(chan int32, 2)
	path := serve(t, me(), func(c *Call) (any, error) {
		var key int32
		if err := c.Decode(&key); err != nil {
			return nil, err
		}
		if c.Op == "untie" {
			c.Untie(key)
		} else {
			c.Tie(key, func() { undone <- key })
		}
		return nil, nil
	})
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		op  string
		key int32
	}{{"tie", 1}, {"tie", 2}, {"untie", 1}} {
		if err := c.Call(step.op, step.key, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if key := <-undone; key != 2 || len(undone) != 0 {
		t.Errorf("%d is undone, and %d more", key, len(undone))
	}
}
