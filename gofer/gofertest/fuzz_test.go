package gofertest

import (
	"bytes"
	"path/filepath"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// FuzzDecode feeds the side channel's decoders. What they accept they encode
// to the same bytes.
func FuzzDecode(f *testing.F) {
	q := donate.Request{Op: donate.OpWalk, Handle: 1, Names: []string{"a", "b"}}
	f.Add(q.Append(nil))
	r := donate.Reply{Op: donate.OpReaddir, Data: donate.AppendItem(nil, []byte("x"), linux.DT_REG, 1, nil, 0, "")}
	f.Add(r.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q donate.Request
		if q.Decode(b) && !bytes.Equal(q.Append(nil), b) {
			t.Errorf("%x is not what %+v encodes to", b, q)
		}
		var r donate.Reply
		if r.Decode(b) {
			var again donate.Reply
			if !again.Decode(r.Append(nil)) {
				t.Errorf("%+v does not decode again", r)
			}
		}
	})
}

// serve runs a gofer on a directory of two files and returns our ends.
func serve(t *testing.T) (nine, side int) {
	n, s := Pair(t, unix.SOCK_STREAM), Pair(t, unix.SOCK_SEQPACKET)
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := unix.Mknod(filepath.Join(dir, name), unix.S_IFREG|0o644, 0); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = hostfs.Serve(n[1], s[1], hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{{Name: "m", Root: -1, Path: dir}}})
	}()
	t.Cleanup(func() {
		unix.Close(n[0])
		unix.Close(s[0])
		<-done
	})
	return n[0], s[0]
}

// FuzzServerSide sends packets to a gofer as a hostile Sentry. The gofer must
// end the session or answer, and always come to an end.
func FuzzServerSide(f *testing.F) {
	for op := donate.OpAttach; op <= donate.OpClunk; op++ {
		q := donate.Request{Op: op, Handle: 1, Handle2: 1, Name: "a", Name2: "c", Names: []string{"a"}, Handles: []uint64{1, 1}}
		f.Add(q.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > donate.MaxPacket {
			return
		}
		_, side := serve(t)
		c := donate.NewConn(side)
		attach := donate.Request{Op: donate.OpAttach, Name: "m"}
		c.Send(attach.Append(nil), -1)
		c.Send(b, -1)
		var q donate.Request
		answers := 1
		if q.Decode(b) && q.Op != donate.OpClunk {
			answers = 2
		}
		buf := make([]byte, donate.MaxPacket)
		for range answers {
			n, fd, e := c.Recv(buf)
			if fd >= 0 {
				unix.Close(fd)
			}
			var r donate.Reply
			if e == 0 && !r.Decode(buf[:n]) {
				t.Errorf("the gofer answered %x", buf[:n])
			}
		}
	})
}

// FuzzServer9P sends bytes to a gofer's 9P end after a version exchange.
func FuzzServer9P(f *testing.F) {
	version := []byte("\x1c\x00\x00\x00\x64\xff\xff\x00\x40\x00\x00\x0f\x009P2000.L.Google")
	version = append(version[:len(version)-15], "9P2000.L.Google.7"...)
	version[11] = 17
	version[0] = byte(len(version))
	attach := append([]byte{0, 0, 0, 0, 104, 1, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0}, "m\xff\xff\xff\xff"...)
	attach[0] = byte(len(attach))
	f.Add(append(bytes.Clone(version), attach...))
	f.Add([]byte{7, 0, 0, 0, 120, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		nine, _ := serve(t)
		unix.Write(nine, version)
		unix.Write(nine, b)
		unix.Shutdown(nine, unix.SHUT_WR)
		buf := make([]byte, 4096)
		for {
			if n, err := unix.Read(nine, buf); n <= 0 && err != unix.EINTR {
				return
			}
		}
	})
}

// FuzzClient answers a client as a hostile gofer: the side channel with the
// packets in b, 9P with its bytes once the version is agreed. Every call must
// come back with an Errno.
func FuzzClient(f *testing.F) {
	r := donate.Reply{Tag: 1, Op: donate.OpStat, Entries: []donate.Entry{{Handle: 1, Attr: donate.Attr{Mode: linux.S_IFDIR}}}}
	f.Add(r.Append(nil), []byte{11, 0, 0, 0, 7, 1, 0, 2, 0, 0, 0})
	f.Add([]byte{}, []byte{20, 0, 0, 0, 105, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, packet, stream []byte) {
		n, s := Pair(t, unix.SOCK_STREAM), Pair(t, unix.SOCK_SEQPACKET)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			buf := make([]byte, 4096)
			if k, _ := unix.Read(n[1], buf); k > 0 {
				// The version the client asks for will do.
				buf[4] = 101
				unix.Write(n[1], buf[:k])
			}
			if len(packet) > 0 && len(packet) <= donate.MaxPacket {
				unix.Sendto(s[1], packet, unix.MSG_NOSIGNAL, nil)
			}
			unix.Read(n[1], buf) // the attach
			unix.SendmsgN(n[1], stream, nil, nil, unix.MSG_NOSIGNAL)
			unix.Shutdown(n[1], unix.SHUT_RDWR)
			unix.Shutdown(s[1], unix.SHUT_WR)
		}()
		c, err := client.Dial(n[0], s[0])
		if err == nil {
			node, _, err := c.Attach("m")
			if err == nil {
				_, fd, err := node.Walk([]string{"a", "b"}, client.WalkOption{Open: true})
				if fd >= 0 {
					unix.Close(fd)
				}
				checkErrno(t, err)
				_, err = node.Readdir(0, true)
				checkErrno(t, err)
				_, err = node.StatMany(nil, []string{"a", "b"})
				checkErrno(t, err)
				checkErrno(t, scanWith(node))
			}
			checkErrno(t, err)
			c.Close()
		}
		<-gone
		unix.Close(n[1])
		unix.Close(s[1])
	})
}

func checkErrno(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(linux.Errno); err != nil && !ok {
		t.Errorf("error %v is no Errno", err)
	}
}

// scanWith makes two pieces of a scan.
func scanWith(n *client.Node) error {
	s, err := n.Scan(nil, []string{"a", "b"}, 4096, true)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err = s.Wait(); err == nil && s.More(4096, true) {
		_, err = s.Wait()
	}
	return err
}

// FuzzScan gives a scan a piece of a hostile gofer's.
func FuzzScan(f *testing.F) {
	a := donate.Attr{Mode: linux.S_IFDIR | 0o755, Ino: 3}
	one := donate.AppendItem(nil, []byte("x"), linux.DT_DIR, 4, &a, 0, "")
	dir := func(depth int) []byte {
		b := donate.AppendHead(nil, depth, 0, &a, 0)
		donate.SetCount(b, 1)
		return append(b, one...)
	}
	f.Add(dir(0))
	f.Add(append(dir(0), dir(1)...))
	f.Add(append(dir(0), dir(2)...))
	f.Fuzz(func(t *testing.T, list []byte) {
		c := client.New(&answer{list})
		node, _, err := c.Attach("m")
		if err != nil {
			t.Fatal(err)
		}
		s, err := node.Scan(nil, []string{"a"}, 4096, false)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Wait()
		checkErrno(t, err)
		if err != nil {
			return
		}
		for _, d := range l.Dirs {
			for i := range int(d.Count) {
				if it := l.Item(d.First + i); it.Name == "" || it.Type == linux.DT_UNKNOWN {
					t.Errorf("%+v", it)
				}
			}
		}
	})
}

// answer is a Transport that answers with a list.
type answer struct{ list []byte }

func (a *answer) Do(q *donate.Request, r *donate.Reply) {
	*r = donate.Reply{Op: q.Op, FD: -1, Entries: []donate.Entry{{Handle: 1, Attr: donate.Attr{Mode: linux.S_IFDIR}}}}
}

func (a *answer) Begin(q *donate.Request, r *donate.Reply) func() {
	*r = donate.Reply{Op: q.Op, FD: -1, List: string(a.list)}
	return func() {}
}

func (a *answer) Post(*donate.Request)  {}
func (a *answer) Dead() <-chan struct{} { return nil }
func (a *answer) Break()                {}
func (a *answer) Close()                {}
