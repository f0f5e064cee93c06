package idle

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// room is how much garbage a process with a small heap gathers before it is
	// collected. Marking takes a processor that a guest and the Sentry need both.
	room = 16 << 20
	// usual is the collector's pace, in percent of what is in use.
	usual = 100
	// fastest bounds what a heap of almost nothing gets.
	fastest = 400
)

// Pace makes the collector leave a small heap room to grow: it runs when the heap
// has grown by 16 MiB or doubled, whichever comes later. A tree of 150,000 names
// that is walked through has two collections less then.
func Pace() {
	debug.SetGCPercent(fastest)
	p := &pacer{percent: fastest}
	collected(func() bool { p.set(live()); return true })
}

// A pacer is the pace that was set last.
type pacer struct{ percent int }

// live returns how many bytes the last collection has left.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

// set sets the pace for a heap of so many bytes.
func (p *pacer) set(live uint64) {
	if n := percent(live); n != p.percent {
		p.percent = n
		debug.SetGCPercent(n)
	}
}

// percent is the pace in steps of 50, so that it rarely changes.
func percent(live uint64) int {
	const step = 50
	n := fastest
	if live > 0 {
		n = int(min(room*100/live, fastest))
	}
	return max(n/step*step, usual)
}
