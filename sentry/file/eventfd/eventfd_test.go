package eventfd

import (
	"encoding/binary"
	"math"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

func write(e *Event, n uint64) error {
	s := usermem.OfBytes(binary.LittleEndian.AppendUint64(nil, n))
	_, err := e.Write(&s)
	return err
}

func read(e *Event) (uint64, error) {
	b := make([]byte, 8)
	s := usermem.OfBytes(b)
	_, err := e.Read(&s)
	return binary.LittleEndian.Uint64(b), err
}

func TestEvent(t *testing.T) {
	t.Run("sum", func(t *testing.T) {
		e := New(1, 0)
		write(e, 2)
		if n, err := read(e); n != 3 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		if _, err := read(e); err != linux.EAGAIN {
			t.Errorf("empty read: %v", err)
		}
	})
	t.Run("semaphore", func(t *testing.T) {
		e := New(2, linux.EFD_SEMAPHORE)
		for range 2 {
			if n, err := read(e); n != 1 || err != nil {
				t.Errorf("read %d, %v", n, err)
			}
		}
		if _, err := read(e); err != linux.EAGAIN {
			t.Errorf("empty read: %v", err)
		}
	})
	t.Run("overflow", func(t *testing.T) {
		e := New(0, 0)
		if err := write(e, math.MaxUint64); err != linux.EINVAL {
			t.Errorf("write of -1: %v", err)
		}
		if err := write(e, math.MaxUint64-1); err != nil {
			t.Errorf("write of the most: %v", err)
		}
		if err := write(e, 1); err != linux.EAGAIN {
			t.Errorf("write beyond: %v", err)
		}
		if got := e.Readiness(wait.In | wait.Out); got != wait.In {
			t.Errorf("ready for %#x", got)
		}
		e.Signal(5)
		if got := e.Readiness(wait.In | wait.Out); got != wait.In|wait.Err {
			t.Errorf("ready for %#x", got)
		}
	})
	t.Run("short buffers", func(t *testing.T) {
		e := New(1, 0)
		s := usermem.OfBytes(make([]byte, 7))
		if _, err := e.Read(&s); err != linux.EINVAL {
			t.Errorf("read: %v", err)
		}
		if _, err := e.Write(&s); err != linux.EINVAL {
			t.Errorf("write: %v", err)
		}
	})
	t.Run("notifies", func(t *testing.T) {
		e := New(0, 0)
		var got wait.Events
		e.Queue().Add(&wait.Entry{Mask: wait.In | wait.Out, Callback: func(_ *wait.Entry, ev wait.Events) { got |= ev }})
		write(e, 1)
		if got&wait.In == 0 {
			t.Error("a write told nobody")
		}
		read(e)
		if got&wait.Out == 0 {
			t.Error("a read told nobody")
		}
	})
	t.Run("image", func(t *testing.T) {
		im := New(7, linux.EFD_SEMAPHORE).Image()
		if r := Restore(im); r.Image() != im {
			t.Error("image does not survive")
		}
	})
}
