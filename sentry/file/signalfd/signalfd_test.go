package signalfd

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/signal"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

type source struct {
	pending signal.Pending
	queue   wait.Queue
}

func (s *source) TakeSignal(set linux.SigSet) (linux.SigInfo, bool) { return s.pending.Take(set) }
func (s *source) HasSignal(set linux.SigSet) bool                   { return s.pending.Set()&set != 0 }
func (s *source) SignalQueue() *wait.Queue                          { return &s.queue }

func TestRead(t *testing.T) {
	s := &source{}
	f := New(s, linux.SigSetOf(linux.SIGUSR1, linux.SIGCHLD, linux.SIGKILL))
	if f.Mask().Has(linux.SIGKILL) {
		t.Error("SIGKILL is in the mask")
	}
	read := func(n int) ([]byte, error) {
		b := make([]byte, n)
		q := usermem.OfBytes(b)
		k, err := f.ReadAs(&vfs.Caller{}, &q)
		return b[:k], err
	}
	add := func(sig linux.Signal, code linux.SigCode) {
		i := linux.SigInfo{Signo: sig, Code: code}
		i.SetPID(42)
		i.SetUID(7)
		if sig == linux.SIGCHLD {
			i.SetStatus(3)
		}
		s.pending.Add(&i, 100)
	}
	if _, err := read(128); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	add(linux.SIGUSR2, linux.SI_USER)
	if f.Readiness(wait.In) != 0 {
		t.Error("ready for a signal outside the mask")
	}
	add(linux.SIGUSR1, linux.SI_USER)
	add(linux.SIGCHLD, linux.CLD_EXITED)
	if f.Readiness(wait.In) != wait.In {
		t.Error("not ready")
	}
	b, err := read(128*3 + 5)
	if err != nil || len(b) != 256 {
		t.Fatalf("read %d bytes, %v", len(b), err)
	}
	u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	if u32(0) != uint32(linux.SIGUSR1) || u32(12) != 42 || u32(16) != 7 {
		t.Errorf("first record % x", b[:24])
	}
	if u32(128) != uint32(linux.SIGCHLD) || u32(128+8) != uint32(linux.CLD_EXITED) || u32(128+40) != 3 {
		t.Errorf("second record % x", b[128:176])
	}
	if _, err := read(127); err != linux.EINVAL {
		t.Errorf("short read: %v", err)
	}
	if im := f.Image(); Restore(s, im).Image() != im {
		t.Error("image does not survive")
	}
}
