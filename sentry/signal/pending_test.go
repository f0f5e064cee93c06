package signal

import (
	"testing"

	"cordon/internal/linux"
)

func TestPendingOrder(t *testing.T) {
	var p Pending
	rt := linux.Signal(34)
	for i := range uint64(3) {
		info := linux.SigInfo{Signo: rt, Code: linux.SI_QUEUE}
		info.SetValue(i)
		if !p.Add(&info, MaxQueued) {
			t.Fatal("not queued")
		}
	}
	for range 2 { // standard signals are kept once
		p.Add(&linux.SigInfo{Signo: linux.SIGUSR1}, MaxQueued)
	}
	p.Add(&linux.SigInfo{Signo: linux.SIGSEGV}, MaxQueued)
	var got []linux.Signal
	for {
		info, ok := p.Take(^linux.SigSet(0))
		if !ok {
			break
		}
		got = append(got, info.Signo)
	}
	want := []linux.Signal{linux.SIGSEGV, linux.SIGUSR1, rt, rt, rt}
	if len(got) != len(want) || p.Len() != 0 || p.Set() != 0 {
		t.Fatalf("took %v, left %d", got, p.Len())
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("took %v, want %v", got, want)
		}
	}
}

func TestPendingLimit(t *testing.T) {
	var p Pending
	rt := linux.Signal(40)
	if p.Add(&linux.SigInfo{Signo: rt, Code: linux.SI_QUEUE}, 0) {
		t.Error("a queued real-time signal went past the limit")
	}
	if !p.Add(&linux.SigInfo{Signo: linux.SIGUSR1, Code: linux.SI_QUEUE}, 0) || !p.Set().Has(linux.SIGUSR1) {
		t.Error("a standard signal is lost at the limit")
	}
	for _, s := range []linux.Signal{0, -1, 65, 200} {
		if !p.Add(&linux.SigInfo{Signo: s}, MaxQueued) || p.Len() != 0 {
			t.Errorf("signal %d", s)
		}
	}
}

func TestActionsReset(t *testing.T) {
	a := NewActions()
	a.Set(linux.SIGUSR1, linux.SigAction{Handler: 0x1000, Flags: linux.SA_RESTART, Mask: ^linux.SigSet(0)})
	a.Set(linux.SIGUSR2, linux.SigAction{Handler: linux.SIG_IGN})
	if a.Get(linux.SIGUSR1).Mask&linux.UnblockableSignals != 0 {
		t.Error("a handler may block SIGKILL")
	}
	b := a.Fork()
	b.Reset()
	if b.Get(linux.SIGUSR1) != (linux.SigAction{}) || b.Get(linux.SIGUSR2).Handler != linux.SIG_IGN {
		t.Errorf("after exec: %+v %+v", b.Get(linux.SIGUSR1), b.Get(linux.SIGUSR2))
	}
	if a.Get(linux.SIGUSR1).Handler != 0x1000 {
		t.Error("the table that was copied has changed")
	}
	if !b.Ignores(linux.SIGUSR2) || !b.Ignores(linux.SIGCHLD) || b.Ignores(linux.SIGUSR1) || b.Ignores(linux.SIGCONT) {
		t.Error("what is ignored")
	}
}
