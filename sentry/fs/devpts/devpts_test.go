package devpts

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// groups records signals. Group n is in session n/10*10.
type groups struct{ sent []string }

func (g *groups) SignalProcessGroup(pgid int32, sig linux.Signal) {
	g.sent = append(g.sent, fmt.Sprintf("%d %v", pgid, sig))
}
func (g *groups) SessionOfGroup(pgid int32) (int32, bool) { return pgid / 10 * 10, pgid < 1000 }

// job is a process in group and session.
type job struct {
	g              *groups
	group, session int32
	ignored        bool
	tty            *vfs.TTY
}

func (j *job) PID() int32                 { return j.group }
func (j *job) FromRootPID(id int32) int32 { return id }
func (j *job) ToRootPID(n int32) int32    { return n }
func (j *job) ProcessGroup() int32        { return j.group }
func (j *job) Session() int32             { return j.session }
func (j *job) IsSessionLeader() bool      { return j.group == j.session }
func (j *job) SignalGroup(pgid int32, sig linux.Signal) linux.Errno {
	j.g.SignalProcessGroup(pgid, sig)
	return 0
}
func (j *job) SignalBlockedOrIgnored(linux.Signal) (bool, bool) { return j.ignored, false }
func (j *job) MayUseDevice(linux.FileMode, uint64, uint32) bool { return true }
func (j *job) ControllingTTY() vfs.TTY                          { return *j.tty }
func (j *job) SetControllingTTY(t vfs.TTY)                      { *j.tty = t }

type memory []byte

func (m memory) CopyIn(addr uint64, b []byte) (int, error)  { return copy(b, m[addr:]), nil }
func (m memory) CopyOut(addr uint64, b []byte) (int, error) { return copy(m[addr:], b), nil }
func (m memory) ZeroOut(addr, n uint64) (uint64, error)     { clear(m[addr : addr+n]); return n, nil }
func (m memory) Blocks(addr, n uint64, _ usermem.Access, fn func([][]byte) (uint64, error)) (uint64, error) {
	return fn([][]byte{m[addr : addr+n]})
}

// world is a terminal with virtual time.
type world struct {
	*testing.T
	fs *FileSystem
	g  *groups
	v  *ktime.Virtual
	m  *Master
	s  *Slave
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clocks, virtual := ktime.NewVirtual(1e18)
	g := &groups{}
	fs := New(Defaults(vfs.New(clocks.Realtime.Now, nil), clocks.Monotonic, g))
	m, err := fs.NewTerminal(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.OpenSlave(nil, linux.O_RDWR); err != linux.EIO {
		t.Errorf("open of a locked terminal: %v", err)
	}
	m.Unlock()
	f, err := m.OpenSlave(nil, linux.O_RDWR|linux.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, fs, g, virtual, m, f.(*Slave)}
}

func (w *world) typeIn(b string) {
	w.Helper()
	q := usermem.OfBytes([]byte(b))
	if n, err := w.m.Write(&q); n != len(b) || err != nil {
		w.Errorf("typing %q: %d, %v", b, n, err)
	}
}

func (w *world) print(b string) (int, error) {
	q := usermem.OfBytes([]byte(b))
	return w.s.WriteAs(&vfs.Caller{}, &q)
}

func (w *world) readAs(j vfs.Job, n int) (string, error) {
	b := make([]byte, n)
	q := usermem.OfBytes(b)
	n, err := w.s.ReadAs(&vfs.Caller{Job: j}, &q)
	return string(b[:n]), err
}

func (w *world) screen() (string, error) {
	b := make([]byte, 1<<16)
	q := usermem.OfBytes(b)
	n, err := w.m.Read(&q)
	return string(b[:n]), err
}

func (w *world) expectRead(what string, n int, want string, werr error) {
	w.Helper()
	if got, err := w.readAs(nil, n); got != want || err != werr {
		w.Errorf("%s: read %q, %v; want %q, %v", what, got, err, want, werr)
	}
}

func (w *world) expectScreen(what, want string) {
	w.Helper()
	if got, _ := w.screen(); got != want {
		w.Errorf("%s: the screen shows %q, want %q", what, got, want)
	}
}

func (w *world) setTermios(change func(t *linux.Termios2)) {
	p := w.m.pair
	p.mu.Lock()
	t := p.termios
	change(&t)
	p.setTermiosLocked(&t)
	p.unlock()
}

func (w *world) ioctl(f vfs.Ioctler, j vfs.Job, req linux.IoctlCmd, arg int32) (int32, error) {
	mem := make(memory, 64)
	mem[0], mem[1], mem[2], mem[3] = byte(arg), byte(arg>>8), byte(arg>>16), byte(arg>>24)
	_, err := f.Ioctl(&vfs.Caller{Job: j}, mem, uint32(req), 0)
	return int32(mem[0]) | int32(mem[1])<<8 | int32(mem[2])<<16 | int32(mem[3])<<24, err
}

// TestLineDiscipline replays what Linux did.
func TestLineDiscipline(t *testing.T) {
	f, err := os.Open("testdata/ldisc.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		cases++
		words := fields(t, sc.Text())
		w := newWorld(t)
		w.setTermios(func(tm *linux.Termios2) {
			tm.Iflag, tm.Oflag, tm.Lflag = linux.Iflag(number(words[0])), linux.Oflag(number(words[1])), linux.Lflag(number(words[2]))
			tm.CC[linux.VEOL], tm.CC[linux.VMIN], tm.CC[linux.VTIME] = 1, 1, 0
		})
		w.print(words[3])
		w.typeIn(words[4])
		for _, want := range words[5 : len(words)-2] {
			got, err := w.readAs(nil, 7)
			if err == linux.EAGAIN {
				got = "-"
			}
			if got != want {
				t.Errorf("%s:\n read %q, want %q", sc.Text(), got, want)
				break
			}
		}
		w.expectScreen(sc.Text(), words[len(words)-1])
	}
	if cases < 100 {
		t.Errorf("only %d cases", cases)
	}
}

func number(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }

// fields splits a line into words, some quoted as in Go.
func fields(t *testing.T, line string) (words []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		word, rest, _ := strings.Cut(line, " ")
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatal(err)
			}
			word, _ = strconv.Unquote(q)
			rest = line[len(q):]
		}
		words, line = append(words, word), rest
	}
	return words
}

func TestSignals(t *testing.T) {
	w := newWorld(t)
	var tty vfs.TTY
	leader := &job{g: w.g, group: 10, session: 10, tty: &tty}
	if _, err := w.ioctl(w.s, leader, linux.TIOCSCTTY, 0); err != nil || tty != vfs.TTY(w.m.pair) {
		t.Fatalf("TIOCSCTTY: %v", err)
	}
	w.typeIn("abc\x03")
	w.typeIn("\x1a")
	w.typeIn("\x1c")
	if want := []string{"10 SIGINT", "10 SIGTSTP", "10 SIGQUIT"}; !reflect.DeepEqual(w.g.sent, want) {
		t.Errorf("sent %v, want %v", w.g.sent, want)
	}
	w.expectRead("after a signal", 10, "", linux.EAGAIN)
	w.g.sent = nil

	if _, err := w.ioctl(w.s, leader, linux.TIOCSPGRP, 13); err != nil {
		t.Errorf("TIOCSPGRP: %v", err)
	}
	for pgid, want := range map[int32]error{25: linux.EPERM, 5000: linux.ESRCH, -1: linux.EINVAL} {
		ignoring := &job{g: w.g, group: 10, session: 10, tty: &tty, ignored: true}
		if _, err := w.ioctl(w.s, ignoring, linux.TIOCSPGRP, pgid); err != want {
			t.Errorf("TIOCSPGRP %d: %v, want %v", pgid, err, want)
		}
	}
	if n, err := w.ioctl(w.s, leader, linux.TIOCGPGRP, 0); n != 13 || err != nil {
		t.Errorf("TIOCGPGRP = %d, %v", n, err)
	}
	w.typeIn("x\n")
	if _, err := w.readAs(leader, 10); err != vfs.ErrRestart {
		t.Errorf("background read: %v", err)
	}
	leader.ignored = true
	if _, err := w.readAs(leader, 10); err != linux.EIO {
		t.Errorf("background read with SIGTTIN ignored: %v", err)
	}
	if s, err := w.readAs(&job{g: w.g, group: 13, session: 10, tty: &tty}, 10); s != "x\n" || err != nil {
		t.Errorf("foreground read: %q, %v", s, err)
	}
	w.m.SetWinsize(linux.Winsize{Row: 5, Col: 6})
	if want := []string{"10 SIGTTIN", "13 SIGWINCH"}; !reflect.DeepEqual(w.g.sent, want) {
		t.Errorf("sent %v, want %v", w.g.sent, want)
	}
	other := &job{g: w.g, group: 20, session: 20, tty: new(vfs.TTY)}
	if _, err := w.ioctl(w.s, other, linux.TIOCSCTTY, 0); err != linux.EPERM {
		t.Errorf("another session takes the terminal: %v", err)
	}
	if _, err := w.ioctl(w.s, other, linux.TIOCGPGRP, 0); err != linux.ENOTTY {
		t.Errorf("TIOCGPGRP by another session: %v", err)
	}
}

func TestHangup(t *testing.T) {
	w := newWorld(t)
	var tty vfs.TTY
	w.ioctl(w.s, &job{g: w.g, group: 10, session: 10, tty: &tty}, linux.TIOCSCTTY, 0)
	w.print("last words")
	w.m.TTY().Hangup()
	w.expectScreen("after the session's end", "last words")
	if got := w.m.TTY().(*pair).Session(); got != 0 {
		t.Errorf("the terminal belongs to session %d", got)
	}
	w.ioctl(w.s, &job{g: w.g, group: 10, session: 10, tty: &tty}, linux.TIOCSCTTY, 0)
	w.print("left")
	w.s.Release()
	if got := w.m.Readiness(wait.In | wait.Out); got != wait.In|wait.Out|wait.Hup {
		t.Errorf("master is ready for %#x", got)
	}
	w.expectScreen("after the close", "left")
	if _, err := w.screen(); err != linux.EIO {
		t.Errorf("master reads on: %v", err)
	}
	f, err := w.m.OpenSlave(nil, linux.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	w.s = f.(*Slave)
	if _, err := w.screen(); err != linux.EAGAIN {
		t.Errorf("master after another open: %v", err)
	}
	w.m.Release()
	if want := []string{"10 SIGHUP", "10 SIGCONT"}; !reflect.DeepEqual(w.g.sent, want) {
		t.Errorf("sent %v, want %v", w.g.sent, want)
	}
	w.expectRead("hung up", 10, "", nil)
	if _, err := w.print("x"); err != linux.EIO {
		t.Errorf("write: %v", err)
	}
	if _, err := w.ioctl(w.s, nil, linux.TCGETS, 0); err != linux.EIO {
		t.Errorf("ioctl: %v", err)
	}
	if got := w.s.Readiness(wait.In | wait.Out); got != wait.In|wait.Out|wait.Err|wait.Hup {
		t.Errorf("slave is ready for %#x", got)
	}
	if _, err := (directory{w.fs.root}).Lookup("0"); err != linux.ENOENT {
		t.Errorf("the name is still there: %v", err)
	}
}

func TestRawReads(t *testing.T) {
	w := newWorld(t)
	raw := func(min, time byte) {
		w.setTermios(func(t *linux.Termios2) {
			t.Lflag &^= linux.ICANON | linux.ECHO
			t.CC[linux.VMIN], t.CC[linux.VTIME] = min, time
		})
	}
	w.s.SetFlags(0)
	raw(3, 0)
	w.typeIn("ab")
	if w.s.Readiness(wait.In) != 0 {
		t.Error("ready below VMIN")
	}
	w.expectRead("below VMIN", 10, "", linux.EAGAIN)
	w.expectRead("below VMIN, but all that is wanted", 2, "ab", nil)
	w.typeIn("cdef")
	w.expectRead("above VMIN", 10, "cdef", nil)

	raw(5, 2)
	w.typeIn("x")
	w.expectRead("between bytes", 10, "", linux.EAGAIN)
	w.v.Advance(150e6)
	w.typeIn("y")
	w.v.Advance(150e6)
	w.expectRead("between bytes", 10, "", linux.EAGAIN)
	woken := false
	w.s.Queue().Add(&wait.Entry{Mask: wait.In, Callback: func(*wait.Entry, wait.Events) { woken = true }})
	w.v.Advance(50e6)
	if !woken {
		t.Error("VTIME wakes nobody")
	}
	w.expectRead("VTIME is over", 10, "xy", nil)

	raw(0, 0)
	w.expectRead("VMIN 0", 10, "", nil)
	raw(0, 1)
	w.expectRead("VMIN 0 with VTIME", 10, "", linux.EAGAIN)
	w.v.Advance(100e6)
	w.expectRead("VTIME is over", 10, "", nil)
}

func TestFlowControl(t *testing.T) {
	w := newWorld(t)
	w.ioctl(w.m, nil, linux.TIOCPKT, 1)
	w.typeIn("\x13")
	if n, err := w.print("out"); n != 0 || err != linux.EAGAIN {
		t.Errorf("write to a stopped terminal: %d, %v", n, err)
	}
	if got := w.m.Readiness(wait.Pri); got != wait.Pri {
		t.Errorf("master is ready for %#x", got)
	}
	w.expectScreen("packet", string([]byte{linux.TIOCPKT_STOP}))
	w.typeIn("a\x11")
	w.expectScreen("packet", string([]byte{linux.TIOCPKT_START}))
	w.expectScreen("echo", "\x00a")
	if n, err := w.print("out"); n != 3 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	w.expectScreen("data", "\x00out")
	w.ioctl(w.m, nil, linux.TIOCPKT, 0)

	full := 0
	for {
		n, err := w.print(strings.Repeat("x", 1000))
		if full += n; err != nil {
			break
		}
	}
	if full < 4096 || full > outputSize || w.s.Readiness(wait.Out) != 0 {
		t.Errorf("%d bytes fit", full)
	}
	if s, _ := w.screen(); len(s) != full {
		t.Errorf("%d of %d bytes arrived", len(s), full)
	}
	typed := 0
	for w.m.Readiness(wait.Out) != 0 && typed < 1<<20 {
		q := usermem.OfBytes([]byte("line\n"))
		n, _ := w.m.Write(&q)
		typed += n
		w.screen()
	}
	if typed > inputSize+5 {
		t.Errorf("%d bytes of lines fit", typed)
	}
	w.s.Ioctl(&vfs.Caller{}, nil, uint32(linux.TCFLSH), linux.TCIFLUSH)
	w.expectRead("flushed", 10, "", linux.EAGAIN)
}

func TestDirectory(t *testing.T) {
	w := newWorld(t)
	second, _ := w.fs.NewTerminal(nil)
	list := func(off int64) (names []string) {
		f, _ := w.fs.Root().Open(nil, vfs.Path{}, 0)
		f.(vfs.DirReader).ReadDir(off, func(e vfs.Dirent) bool { names = append(names, e.Name); return true })
		return names
	}
	if got := list(0); !reflect.DeepEqual(got, []string{".", "..", "ptmx", "0", "1"}) {
		t.Errorf("listed %v", got)
	}
	if got := list(4); !reflect.DeepEqual(got, []string{"1"}) {
		t.Errorf("listed %v", got)
	}
	root := w.fs.Root().(vfs.Directory)
	one, err := root.Lookup("1")
	if err != nil || !w.fs.Revalidate(root, "1", one) {
		t.Errorf("Lookup: %v", err)
	}
	a, _ := one.Attr()
	if a.Mode != linux.S_IFCHR|0o600 || a.Rdev != linux.MakeDev(136, 1) {
		t.Errorf("Attr = %+v", a)
	}
	second.Release()
	if w.fs.Revalidate(root, "1", one) {
		t.Error("a closed terminal is valid")
	}
	third, _ := w.fs.NewTerminal(nil)
	if third.Index() != 1 {
		t.Errorf("the number was not used again: %d", third.Index())
	}
	o := w.fs.options
	if err := o.Parse("newinstance,gid=5,mode=620,ptmxmode=666,max=3"); err != nil || o.Mode != 0o620 || o.GID != 5 || o.PtmxMode != 0o666 || o.Max != 3 {
		t.Errorf("Parse: %v, %+v", err, o)
	}
	if err := o.Parse("what=1"); err != linux.EINVAL {
		t.Errorf("Parse: %v", err)
	}
}

func TestImage(t *testing.T) {
	w := newWorld(t)
	w.print("out")
	w.typeIn("line\nrest")
	im := w.m.Image()
	w.m.Release()
	m, err := w.fs.RestoreTerminal(&im, 1, 2)
	if err != nil || !reflect.DeepEqual(m.Image(), im) {
		t.Fatalf("image does not survive: %v", err)
	}
	w.m, w.s = m, m.RestoreSlave(SlaveImage{Hangups: im.Hangups})
	w.expectRead("restored", 10, "line\n", nil)
	w.typeIn("\x7f\n")
	w.expectRead("restored", 10, "res\n", nil)
	w.expectScreen("restored", "outline\r\nrest\b \b\r\n")
	im.Edit = 1 << 30
	if _, err := w.fs.RestoreTerminal(&im, 0, 0); err == nil {
		t.Error("a bad image was restored")
	}
}
