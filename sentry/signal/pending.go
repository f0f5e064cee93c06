package signal

import "cordon/internal/linux"

// MaxQueued bounds the queue of one Pending whatever RLIMIT_SIGPENDING says.
const MaxQueued = 1 << 16

// Pending is a set of pending signals with what is known of each. Standard
// signals are kept once, real-time signals as often as they are sent.
type Pending struct {
	set   linux.SigSet
	infos [linux.NSIG + 1][]linux.SigInfo
	n     int
}

// Set returns the signals pending.
func (p *Pending) Set() linux.SigSet { return p.set }

// Len returns how many instances are queued.
func (p *Pending) Len() int { return p.n }

// Add queues info. Signal is marked pending even when limit instances are
// queued already; then its info is lost and Add reports false (a sender by
// sigqueue(3) gets EAGAIN, unless the signal is a standard one). A standard
// signal is queued once, and once more for each timer that sends it: a timer
// stands still until its own is taken (Linux: kernel/signal.c
// posixtimer_send_sigqueue).
func (p *Pending) Add(info *linux.SigInfo, limit uint64) bool {
	s := info.Signo
	if !s.Valid() {
		return true // like Linux's, a child's exit signal may be no signal
	}
	each := s.IsRealtime() || info.Code == linux.SI_TIMER
	if !each && p.set.Has(s) {
		return true
	}
	if uint64(p.n) >= min(limit, MaxQueued) && s != linux.SIGKILL && s != linux.SIGSTOP {
		if each && info.Code != linux.SI_USER {
			return false
		}
		p.set.Add(s)
		return true
	}
	p.set.Add(s)
	p.infos[s] = append(p.infos[s], *info)
	p.n++
	return true
}

// synchronous signals are delivered before others (Linux: kernel/signal.c
// SYNCHRONOUS_MASK).
var synchronous = linux.SigSetOf(linux.SIGSEGV, linux.SIGBUS, linux.SIGILL, linux.SIGTRAP, linux.SIGFPE, linux.SIGSYS)

// Next returns the signal that Take would take of those in allowed, 0 if none.
func (p *Pending) Next(allowed linux.SigSet) linux.Signal {
	set := p.set & allowed
	if set == 0 {
		return 0
	}
	if s := set & synchronous; s != 0 {
		set = s
	}
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) {
			return s
		}
	}
	return 0
}

// Take removes and returns the next signal of those in allowed.
func (p *Pending) Take(allowed linux.SigSet) (linux.SigInfo, bool) {
	s := p.Next(allowed)
	if s == 0 {
		return linux.SigInfo{}, false
	}
	q := p.infos[s]
	info := linux.SigInfo{Signo: s, Code: linux.SI_USER}
	if len(q) > 0 {
		info = q[0]
		p.n--
		if len(q) == 1 {
			p.infos[s] = q[:0]
		} else {
			p.infos[s] = q[1:]
		}
	}
	if len(q) <= 1 {
		p.set.Del(s)
	}
	return info, true
}

// Discard drops every instance of the signals in set.
func (p *Pending) Discard(set linux.SigSet) {
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) && p.set.Has(s) {
			p.n -= len(p.infos[s])
			p.infos[s] = nil
			p.set.Del(s)
		}
	}
}

// RemoveTimer drops queued instances that the POSIX timer id sent.
func (p *Pending) RemoveTimer(s linux.Signal, id linux.TimerID) {
	if s <= 0 || s > linux.NSIG {
		return
	}
	kept := p.infos[s][:0]
	for _, info := range p.infos[s] {
		if info.Code == linux.SI_TIMER && info.TimerID() == id {
			p.n--
			continue
		}
		kept = append(kept, info)
	}
	p.infos[s] = kept
	if len(kept) == 0 {
		p.set.Del(s)
	}
}

// Image is a Pending in a checkpoint.
type Image struct {
	Set   linux.SigSet
	Infos []linux.SigInfo // in order of signal, then of arrival
}

// Image returns p's image.
func (p *Pending) Image() Image {
	im := Image{Set: p.set}
	for _, q := range p.infos {
		im.Infos = append(im.Infos, q...)
	}
	return im
}

// Restore makes p what im says.
func (p *Pending) Restore(im Image) {
	*p = Pending{set: im.Set}
	for i := range im.Infos {
		if s := im.Infos[i].Signo; s.Valid() {
			p.infos[s] = append(p.infos[s], im.Infos[i])
			p.n++
		}
	}
}
