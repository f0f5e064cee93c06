package hostfd

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// groups records signals; every group is in session 1.
type groups struct{ sent []string }

func (g *groups) SignalProcessGroup(pgid int32, sig linux.Signal) {
	g.sent = append(g.sent, fmt.Sprint(pgid, sig))
}
func (g *groups) SessionOfGroup(int32) (int32, bool) { return 1, true }

// memory is a flat address space.
type memory []byte

func (m memory) CopyIn(addr uint64, b []byte) (int, error)  { return copy(b, m[addr:]), nil }
func (m memory) CopyOut(addr uint64, b []byte) (int, error) { return copy(m[addr:], b), nil }
func (m memory) ZeroOut(addr, n uint64) (uint64, error)     { clear(m[addr : addr+n]); return n, nil }
func (m memory) Blocks(addr, n uint64, _ usermem.Access, fn func([][]byte) (uint64, error)) (uint64, error) {
	return fn([][]byte{m[addr : addr+n]})
}

func notifier(t *testing.T) *Notifier {
	n, e := NewNotifier()
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(n.Release)
	return n
}

func openFD(t *testing.T, n *Notifier, fd int) (*Inode, vfs.File) {
	t.Helper()
	i, e := New(n, &groups{}, fd, "x")
	if e != 0 {
		t.Fatal(e)
	}
	f, err := i.Open(nil, vfs.Path{}, i.Flags())
	if err != nil {
		t.Fatal(err)
	}
	return i, f
}

func write(f vfs.Writer, b string) (int, error) {
	s := usermem.OfBytes([]byte(b))
	return f.Write(&s)
}

func read(f vfs.Reader, n int) (string, error) {
	b := make([]byte, n)
	s := usermem.OfBytes(b)
	n, err := f.Read(&s)
	return string(b[:n]), err
}

// await waits until the queue says that mask holds.
func await(t *testing.T, f vfs.Poller, mask wait.Events, do func()) {
	t.Helper()
	e, c := wait.Channel(mask)
	f.Queue().Add(e)
	defer f.Queue().Remove(e)
	do()
	for f.Readiness(mask) == 0 {
		select {
		case <-c:
		case <-time.After(30 * time.Second):
			t.Fatal("no event")
		}
	}
}

func TestRegularUsesTheSharedOffset(t *testing.T) {
	host, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	host.WriteString("before ")
	fd, _ := unix.Dup(int(host.Fd()))
	i, f := openFD(t, notifier(t), fd)
	r := f.(*Regular)
	if n, err := write(r, "inside "); n != 7 || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	host.WriteString("after")
	b, _ := os.ReadFile(host.Name())
	if string(b) != "before inside after" {
		t.Errorf("the file has %q", b)
	}
	if off, err := r.SeekTo(-5, unix.SEEK_END, 0); off != 14 || err != nil {
		t.Errorf("Seek = %d, %v", off, err)
	}
	if s, err := read(r, 100); s != "after" || err != nil {
		t.Errorf("read %q, %v", s, err)
	}
	if s, err := read(r, 100); s != "" || err != nil {
		t.Errorf("read at the end %q, %v", s, err)
	}
	src, dst := usermem.OfBytes([]byte("INSIDE")), make([]byte, 9)
	if n, err := r.PWriteAt(&src, 7); n != 6 || err != nil {
		t.Errorf("pwrite: %d, %v", n, err)
	}
	into := usermem.OfBytes(dst)
	if n, err := r.PReadAt(&into, 5); n != 9 || string(dst) != "e INSIDE " || err != nil {
		t.Errorf("pread: %d %q, %v", n, dst, err)
	}
	if off, _ := r.SeekTo(0, unix.SEEK_CUR, 0); off != 19 {
		t.Errorf("pread and pwrite left the offset at %d", off)
	}
	if a, _ := i.Attr(); a.Size != 19 || !a.Mode.IsRegular() {
		t.Errorf("Attr = %+v", a)
	}
	if err := i.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: 3}); err != nil {
		t.Errorf("truncate: %v", err)
	}
	if _, ok := f.(vfs.ReaderAt); ok {
		t.Error("the VFS would use an offset of its own")
	}
}

func TestPipe(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	n := notifier(t)
	_, rf := openFD(t, n, p[0])
	_, wf := openFD(t, n, p[1])
	r, w := rf.(*File), wf.(*File)
	if _, err := read(r, 1); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	await(t, r, wait.In, func() { write(w, "hello") })
	if s, err := read(r, 10); s != "hello" || err != nil {
		t.Errorf("read %q, %v", s, err)
	}
	full := 0
	for {
		k, err := write(w, string(make([]byte, 10000)))
		if err != nil {
			if err != linux.EAGAIN {
				t.Errorf("full pipe: %v", err)
			}
			break
		}
		full += k
	}
	if full < 60000 || full > 65536 {
		t.Errorf("%d bytes fit", full)
	}
	if w.Readiness(wait.Out) != 0 {
		t.Error("a full pipe is ready")
	}
	await(t, w, wait.Out, func() { read(r, 30000) })
	if flags, _ := unix.FcntlInt(uintptr(p[0]), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
		t.Error("O_NONBLOCK was changed")
	}
	await(t, r, wait.Hup, w.Release)
	r.Release()
}

func TestBlockingWithoutNowait(t *testing.T) {
	var p [2]int
	unix.Pipe2(p[:], unix.O_CLOEXEC)
	n := notifier(t)
	ri, rf := openFD(t, n, p[0])
	wi, wf := openFD(t, n, p[1])
	ri.noNowait.Store(true)
	wi.noNowait.Store(true)
	r, w := rf.(*File), wf.(*File)
	if _, err := read(r, 1); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	for {
		if _, err := write(w, string(make([]byte, 10000))); err != nil {
			break
		}
	}
	if s, err := read(r, 10); len(s) != 10 || err != nil {
		t.Errorf("read %d, %v", len(s), err)
	}
}

func TestSocket(t *testing.T) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := notifier(t)
	_, af := openFD(t, n, p[0])
	_, bf := openFD(t, n, p[1])
	a, b := af.(*File), bf.(*File)
	if _, err := read(a, 1); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	await(t, a, wait.In, func() { write(b, "hi") })
	if s, _ := read(a, 9); s != "hi" {
		t.Errorf("read %q", s)
	}
	await(t, a, wait.Hup, b.Release)
	if _, err := write(a, "x"); err != linux.EPIPE {
		t.Errorf("write to nobody: %v", err)
	}
}

// pty returns a host terminal pair.
func pty(t *testing.T) (master, slave int) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no /dev/ptmx here")
	}
	t.Cleanup(func() { unix.Close(master) })
	unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0)
	no, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = unix.Open(fmt.Sprintf("/dev/pts/%d", no), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	return master, slave
}

func TestTerminal(t *testing.T) {
	master, slave := pty(t)
	_, f := openFD(t, notifier(t), slave)
	term, ok := f.(*Terminal)
	if !ok {
		t.Fatalf("a terminal is a %T", f)
	}
	c := &vfs.Caller{}
	if _, err := read(term, 10); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	await(t, term, wait.In, func() { unix.Write(master, []byte("line\n")) })
	if s, err := read(term, 10); s != "line\n" || err != nil {
		t.Errorf("read %q, %v", s, err)
	}
	if n, err := write(term, "out"); n != 3 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	mem := make(memory, 64)
	if _, err := term.Ioctl(c, mem, uint32(linux.TCGETS), 0); err != nil {
		t.Fatalf("TCGETS: %v", err)
	}
	lflag := binary.LittleEndian.Uint32(mem[12:])
	if linux.Lflag(lflag)&linux.ICANON == 0 {
		t.Errorf("lflag %#x", lflag)
	}
	binary.LittleEndian.PutUint32(mem[12:], lflag&^uint32(linux.ICANON|linux.ECHO))
	mem[17+linux.VMIN], mem[17+linux.VTIME] = 0, 0
	if _, err := term.Ioctl(c, mem, uint32(linux.TCSETSW), 0); err != nil {
		t.Fatalf("TCSETSW: %v", err)
	}
	if h, _ := unix.IoctlGetTermios(slave, unix.TCGETS); h.Lflag&unix.ICANON != 0 {
		t.Error("the host's terminal did not change")
	}
	if s, err := read(term, 10); s != "" || err != nil {
		t.Errorf("read with VMIN 0: %q, %v", s, err)
	}
	copy(mem, []byte{30, 0, 100, 0, 0, 0, 0, 0})
	if _, err := term.Ioctl(c, mem, uint32(linux.TIOCSWINSZ), 0); err != nil {
		t.Errorf("TIOCSWINSZ: %v", err)
	}
	if w, _ := unix.IoctlGetWinsize(master, unix.TIOCGWINSZ); w.Row != 30 || w.Col != 100 {
		t.Errorf("window size %+v", w)
	}
	mem[0] = 'x'
	if _, err := term.Ioctl(c, mem, uint32(linux.TIOCSTI), 0); err != linux.ENOTTY {
		t.Errorf("TIOCSTI reached the host: %v", err)
	}
}

func TestReleaseClosesTheDescriptor(t *testing.T) {
	var p [2]int
	unix.Pipe2(p[:], unix.O_CLOEXEC)
	i, a := openFD(t, notifier(t), p[0])
	b, err := i.Open(nil, vfs.Path{}, linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Open(nil, vfs.Path{}, linux.O_RDWR); err != linux.EACCES {
		t.Errorf("open for writing: %v", err)
	}
	a.Release()
	if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_GETFL, 0); err != nil {
		t.Error("closed too early")
	}
	b.Release()
	if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_GETFL, 0); err != unix.EBADF {
		t.Errorf("not closed: %v", err)
	}
	unix.Close(p[1])
}
