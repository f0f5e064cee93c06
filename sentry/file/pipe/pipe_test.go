package pipe

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

func write(e *End, b []byte) (int, error) {
	s := usermem.OfBytes(b)
	return e.Write(&s)
}

func read(e *End, n int) ([]byte, error) {
	b := make([]byte, n)
	s := usermem.OfBytes(b)
	n, err := e.Read(&s)
	return b[:n], err
}

func TestPipe(t *testing.T) {
	t.Run("opened again through /proc waits for nobody", func(t *testing.T) {
		r, w := New(0)
		w.Release()
		again, err := r.Reopen(linux.O_RDONLY)
		if err != nil || !again.Opened() {
			t.Errorf("reader: opened %v, %v", err == nil && again.Opened(), err)
		}
		again.Release()
		r.Release()
		if _, err := r.Reopen(linux.O_WRONLY | linux.O_NONBLOCK); err != nil {
			t.Errorf("writer: %v", err)
		}
	})
	t.Run("holds 65536 single bytes", func(t *testing.T) {
		r, w := New(0)
		n := 0
		for {
			if _, err := write(w, []byte{byte(n)}); err != nil {
				break
			}
			n++
		}
		if n != 65536 {
			t.Errorf("%d bytes fit", n)
		}
		if b, _ := read(r, 1<<20); len(b) != n || b[300] != 300&0xff {
			t.Errorf("read %d bytes", len(b))
		}
	})
	t.Run("atomic write does not split", func(t *testing.T) {
		r, w := New(0)
		write(w, make([]byte, 65536-10))
		if n, err := write(w, make([]byte, 20)); n != 0 || err != linux.EAGAIN {
			t.Errorf("write = %d, %v", n, err)
		}
		if n, err := write(w, make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("write = %d, %v", n, err)
		}
		if got := r.Readiness(wait.All); got != readable {
			t.Errorf("reader is ready for %#x", got)
		}
		if got := w.Readiness(wait.All); got != 0 {
			t.Errorf("writer is ready for %#x", got)
		}
	})
	t.Run("large write splits", func(t *testing.T) {
		_, w := New(0)
		if n, err := write(w, make([]byte, 100000)); n != 65536 || err != nil {
			t.Errorf("write = %d, %v", n, err)
		}
	})
	t.Run("empty", func(t *testing.T) {
		r, w := New(0)
		if _, err := read(r, 1); err != linux.EAGAIN {
			t.Errorf("read: %v", err)
		}
		w.Release()
		if b, err := read(r, 1); len(b) != 0 || err != nil {
			t.Errorf("read at the end: %v, %v", b, err)
		}
		if got := r.Readiness(wait.All); got != wait.Hup {
			t.Errorf("reader is ready for %#x", got)
		}
	})
	t.Run("no reader", func(t *testing.T) {
		r, w := New(0)
		r.Release()
		if _, err := write(w, []byte{1}); err != linux.EPIPE {
			t.Errorf("write: %v", err)
		}
		if got := w.Readiness(wait.Out); got != wait.Out|wait.Err {
			t.Errorf("writer is ready for %#x", got)
		}
	})
	t.Run("packets", func(t *testing.T) {
		r, w := New(linux.O_DIRECT)
		write(w, []byte("one"))
		write(w, []byte("two"))
		if b, _ := read(r, 2); string(b) != "on" {
			t.Errorf("read %q", b)
		}
		if b, _ := read(r, 100); string(b) != "two" {
			t.Errorf("read %q", b)
		}
	})
	t.Run("size", func(t *testing.T) {
		_, w := New(0)
		write(w, make([]byte, 3*4096))
		for _, tt := range []struct {
			n    uint32
			priv bool
			want int
			err  error
		}{
			{5000, false, 0, linux.EBUSY}, {9000, false, 16384, nil}, {MaxSize, false, MaxSize, nil},
			{MaxSize + 1, false, 0, linux.EPERM}, {MaxSize + 1, true, 2 * MaxSize, nil}, {1<<31 + 1, true, 0, linux.EINVAL},
		} {
			if n, err := w.pipe.SetSize(tt.n, tt.priv); n != tt.want || err != tt.err {
				t.Errorf("SetSize(%d) = %d, %v; want %d, %v", tt.n, n, err, tt.want, tt.err)
			}
		}
	})
}

func TestNotify(t *testing.T) {
	r, w := New(0)
	var got []wait.Events
	w.Queue().Add(&wait.Entry{Mask: wait.In | wait.Out, Callback: func(_ *wait.Entry, ev wait.Events) { got = append(got, ev) }})
	expect := func(what string, want ...wait.Events) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: notified %#x, want %#x", what, got, want)
		}
		got = nil
	}
	write(w, []byte("a"))
	expect("first byte", readable)
	write(w, []byte("b"))
	expect("second byte")
	r.Readiness(wait.In)
	write(w, []byte("c"))
	expect("a byte for a poller", readable)
	read(r, 1)
	expect("read")
	write(w, make([]byte, 16*4096))
	got = nil
	read(r, 10000)
	expect("read of a full pipe", writable)
	w.Release()
	expect("close", readable|writable|wait.Err|wait.Hup)
}

// TestModel runs random operations on a pipe and on a model of page slots.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 50 {
		r, w := New(0)
		var model [][]byte // pages; an odd write joins the last
		next := byte(0)
		for step := range 400 {
			n := rnd.IntN(3 * 4096)
			if rnd.IntN(3) == 0 {
				n = rnd.IntN(100)
			}
			if rnd.IntN(2) == 0 {
				b := make([]byte, n)
				for i := range b {
					b[i] = next + byte(i)
				}
				got, err := write(w, b)
				want := modelWrite(&model, b)
				if got != want || (err == linux.EAGAIN) != (want == 0 && n > 0) {
					t.Fatalf("seed %d step %d: write of %d = %d, %v; want %d", seed, step, n, got, err, want)
				}
				next += byte(got)
				continue
			}
			got, err := read(r, n)
			want := modelRead(&model, n)
			if !bytes.Equal(got, want) || (err == linux.EAGAIN) != (len(want) == 0 && n > 0) {
				t.Fatalf("seed %d step %d: read of %d = %d bytes, %v; want %d", seed, step, n, len(got), err, len(want))
			}
		}
		total := 0
		for _, p := range model {
			total += len(p)
		}
		if w.pipe.Buffered() != total {
			t.Fatalf("seed %d: %d bytes buffered, want %d", seed, w.pipe.Buffered(), total)
		}
	}
}

func modelWrite(m *[][]byte, b []byte) (n int) {
	pages := *m
	if odd := len(b) % 4096; odd != 0 && len(pages) > 0 {
		// The page's consumed front still takes room: cap marks its start.
		last := &pages[len(pages)-1]
		if len(*last)+odd <= cap(*last) {
			*last = append(*last, b[:odd]...)
			b, n = b[odd:], odd
		}
	}
	for len(b) > 0 && len(pages) < 16 {
		k := min(len(b), 4096)
		pages = append(pages, append(make([]byte, 0, 4096), b[:k]...))
		b, n = b[k:], n+k
	}
	*m = pages
	return n
}

func modelRead(m *[][]byte, n int) (out []byte) {
	for n > 0 && len(*m) > 0 {
		p := &(*m)[0]
		k := min(n, len(*p))
		out = append(out, (*p)[:k]...)
		*p, n = (*p)[k:], n-k
		if len(*p) == 0 {
			*m = (*m)[1:]
		}
	}
	return out
}

func TestSplice(t *testing.T) {
	t.Run("tee and move", func(t *testing.T) {
		r1, w1 := New(0)
		r2, w2 := New(0)
		write(w1, []byte("hello"))
		if n, err := Tee(r1, w2, 3); n != 3 || err != nil {
			t.Fatalf("Tee = %d, %v", n, err)
		}
		write(w1, []byte(" world"))
		write(w2, []byte("p"))
		if n, err := Move(r1, w2, 100); n != 11 || err != nil {
			t.Fatalf("Move = %d, %v", n, err)
		}
		if b, _ := read(r2, 100); string(b) != "helphello world" {
			t.Errorf("read %q", b)
		}
		if _, err := Move(r1, w2, 1); err != linux.EAGAIN {
			t.Errorf("Move of nothing: %v", err)
		}
		w1.Release()
		if n, err := Move(r1, w2, 1); n != 0 || err != nil {
			t.Errorf("Move at the end: %d, %v", n, err)
		}
		if _, err := Move(r2, w2, 1); err != linux.EINVAL {
			t.Errorf("Move to itself: %v", err)
		}
	})
	t.Run("files", func(t *testing.T) {
		r, w := New(0)
		src := bytes.NewReader(bytes.Repeat([]byte("0123456789"), 1000))
		n, err := w.SpliceFrom(1<<20, func(p []byte) (int, error) { k, _ := src.Read(p); return k, nil })
		if n != 10000 || err != nil {
			t.Fatalf("SpliceFrom = %d, %v", n, err)
		}
		var out bytes.Buffer
		n, err = r.SpliceTo(9995, func(p []byte) (int, error) { return out.Write(p) })
		if n != 9995 || err != nil || out.String()[9990:] != "01234" {
			t.Fatalf("SpliceTo = %d, %v, %q", n, err, out.String()[9990:])
		}
		if b, _ := read(r, 10); string(b) != "56789" {
			t.Errorf("left %q", b)
		}
		if _, err := w.SpliceFrom(5, func([]byte) (int, error) { return 0, linux.EIO }); err != linux.EIO {
			t.Errorf("error of the file: %v", err)
		}
		if w.pipe.reserved != 0 || w.pipe.draining {
			t.Error("a slot is still reserved")
		}
	})
}

func TestFIFO(t *testing.T) {
	var state vfs.InodeState
	open := func(flags linux.OpenFlags) (*End, error) {
		f, err := FIFOs{}.OpenFIFO(nil, &state, flags)
		if err != nil {
			return nil, err
		}
		return f.(*End), nil
	}
	if _, err := open(linux.O_WRONLY | linux.O_NONBLOCK); err != linux.ENXIO {
		t.Errorf("writer alone: %v", err)
	}
	r, _ := open(linux.O_RDONLY)
	if r.Opened() {
		t.Error("a reader does not wait")
	}
	if got := r.Readiness(wait.All); got != 0 {
		t.Errorf("reader without writers is ready for %#x", got)
	}
	if b, err := read(r, 1); len(b) != 0 || err != nil {
		t.Errorf("read without writers: %v", err)
	}
	w, err := open(linux.O_WRONLY | linux.O_NONBLOCK)
	if err != nil || !w.Opened() || !r.Opened() {
		t.Fatalf("open: %v", err)
	}
	write(w, []byte("x"))
	w.Release()
	if !r.Opened() || r.Readiness(wait.All) != wait.Hup|readable {
		t.Error("a writer that has gone leaves no trace")
	}
	r.Release()
	w, _ = open(linux.O_WRONLY)
	r, _ = open(linux.O_RDONLY)
	write(w, []byte("x"))
	w.Release()
	if !r.Opened() || r.Readiness(wait.All) != wait.Hup|readable {
		t.Error("a writer that was there when the reader came, and has gone since, leaves no trace")
	}
	r.Release()
	rw, _ := open(linux.O_RDWR)
	if !rw.Opened() {
		t.Error("O_RDWR waits")
	}
	if _, err := read(rw, 1); err != linux.EAGAIN {
		t.Errorf("contents survived: %v", err)
	}
}

func TestImage(t *testing.T) {
	r, w := New(0)
	write(w, bytes.Repeat([]byte("ab"), 3000))
	read(r, 10)
	im := r.pipe.Image()
	p, err := Restore(&im)
	if err != nil || !reflect.DeepEqual(p.Image(), im) {
		t.Fatalf("image does not survive: %v", err)
	}
	r2, w2 := RestoreEnd(p, r.Image()), RestoreEnd(p, w.Image())
	write(w2, []byte("end"))
	if b, _ := read(r2, 10000); len(b) != 5993 || string(b[5990:]) != "end" {
		t.Errorf("read %d bytes", len(b))
	}
	im.Max = 0
	if _, err := Restore(&im); err == nil {
		t.Error("a pipe without slots was restored")
	}
}

func TestReadWriteDoNotAllocate(t *testing.T) {
	if lock.Checking {
		t.Skip("the lock checker allocates")
	}
	r, w := New(0)
	b := make([]byte, 5000)
	n := testing.AllocsPerRun(100, func() {
		s := usermem.OfBytes(b)
		w.pipe.write(&s, canMerge)
		s = usermem.OfBytes(b)
		r.pipe.read(&s)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWriteRead(b *testing.B) {
	r, w := New(0)
	buf := make([]byte, 64)
	for b.Loop() {
		s := usermem.OfBytes(buf)
		w.Write(&s)
		s = usermem.OfBytes(buf)
		r.Read(&s)
	}
}
