//go:build refcheck

package refs

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
)

// Checking reports whether owners are recorded in this build.
const Checking = true

// maxEvents bounds what one object remembers; older events go first.
const maxEvents = 64

// live holds every Count that is not dead.
var live sync.Map

type event struct {
	what string
	pcs  [16]uintptr
}

type tracked struct {
	// immutable after start
	name string

	mu sync.Mutex
	// guarded by mu
	events []event
}

func (t *tracked) record(what string) {
	e := event{what: what}
	runtime.Callers(4, e.pcs[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) == maxEvents {
		copy(t.events, t.events[1:])
		t.events = t.events[:maxEvents-1]
	}
	t.events = append(t.events, e)
}

func (t *tracked) start(c *Count, name string) {
	t.name = name
	t.note("created")
	live.Store(c, struct{}{})
}
func (t *tracked) taken()        { t.note("taken") }
func (t *tracked) dropped()      { t.note("dropped") }
func (t *tracked) end(c *Count)  { t.note("ended"); live.Delete(c) }
func (t *tracked) note(w string) { t.record(w) }

func (t *tracked) describe() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s", t.name)
	for _, e := range t.events {
		fmt.Fprintf(&b, "\n  %s:", e.what)
		for frames := runtime.CallersFrames(e.pcs[:]); ; {
			f, more := frames.Next()
			if f.Function != "" {
				fmt.Fprintf(&b, "\n    %s:%d", f.Function, f.Line)
			}
			if !more {
				break
			}
		}
	}
	return b.String()
}

// Leaks lists the objects that are alive, each with the places where its
// references were taken and dropped.
func Leaks() []string {
	var out []string
	live.Range(func(k, _ any) bool {
		c := k.(*Count)
		out = append(out, fmt.Sprintf("%d references left:%s", c.n.Load(), c.owner.describe()))
		return true
	})
	sort.Strings(out)
	return out
}
