// Package log writes lines with a level to a descriptor of the host.
//
// There is no global logger: whoever assembles a process makes one and passes
// it down. A nil *Logger is valid and discards everything.
//
// A message below the level costs one load and no allocation. Messages other
// than Debug are limited in rate, because a guest can provoke some of them; what
// is left out is counted and said. Each line is one write, so that several
// processes can share a descriptor.
package log

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cordon/internal/host"
	"cordon/internal/lock"
)

// A Level says how important a message is.
type Level int32

const (
	Error Level = iota
	Warning
	Info
	Debug
)

func (l Level) String() string { return [...]string{"error", "warning", "info", "debug"}[l&3] }

// ParseLevel reads what String writes.
func ParseLevel(s string) (Level, bool) {
	for l := Error; l <= Debug; l++ {
		if l.String() == s {
			return l, true
		}
	}
	return 0, false
}

const (
	// burst messages may come at once, and perSecond more in every second.
	burst     = 200
	perSecond = 50
	// maxLine is where a line is cut.
	maxLine = 4096
)

// A Logger writes to one descriptor.
type Logger struct {
	// immutable
	fd     int
	prefix string
	now    func() time.Time

	// atomic
	level atomic.Int32

	mu lock.Mutex[lock.Log]
	// guarded by mu
	tokens     float64
	last       time.Time
	suppressed int
}

// New makes a logger for a descriptor, which stays the caller's. The prefix
// tells processes apart.
func New(fd int, level Level, prefix string) *Logger {
	l := &Logger{fd: fd, prefix: prefix, now: time.Now, tokens: burst}
	l.level.Store(int32(level))
	return l
}

// SetLevel changes what is written from now on.
func (l *Logger) SetLevel(level Level) {
	if l != nil {
		l.level.Store(int32(level))
	}
}

// Enabled reports whether messages of a level are written.
func (l *Logger) Enabled(level Level) bool { return l != nil && int32(level) <= l.level.Load() }

// Errorf, Warningf, Infof and Debugf write a message. Arguments must not keep
// themselves when they are formatted.
func (l *Logger) Errorf(format string, args ...any) {
	if l.Enabled(Error) {
		l.write(Error, format, noescape(args))
	}
}

func (l *Logger) Warningf(format string, args ...any) {
	if l.Enabled(Warning) {
		l.write(Warning, format, noescape(args))
	}
}

func (l *Logger) Infof(format string, args ...any) {
	if l.Enabled(Info) {
		l.write(Info, format, noescape(args))
	}
}

func (l *Logger) Debugf(format string, args ...any) {
	if l.Enabled(Debug) {
		l.write(Debug, format, noescape(args))
	}
}

var buffers = sync.Pool{New: func() any { return new([maxLine + 256]byte) }}

func (l *Logger) write(level Level, format string, args []any) {
	now := l.now()
	lost, ok := l.admit(level, now)
	if !ok {
		return
	}
	buf := buffers.Get().(*[maxLine + 256]byte)
	defer buffers.Put(buf)
	b := now.UTC().AppendFormat(buf[:0], "2006-01-02T15:04:05.000000Z ")
	b = append(b, l.prefix...)
	b = append(b, ' ')
	b = append(b, level.String()...)
	b = append(b, ": "...)
	if lost > 0 {
		b = append(b, "("...)
		b = strconv.AppendInt(b, int64(lost), 10)
		b = append(b, " messages left out) "...)
	}
	b = fmt.Appendf(b, format, args...)
	if len(b) > maxLine {
		b = append(b[:maxLine], "..."...)
	}
	// A guest's strings must not forge lines.
	for i, c := range b {
		if c < ' ' && c != '\t' {
			b[i] = ' '
		}
	}
	// There is nowhere to report that the log cannot be written.
	_, _ = host.Write(l.fd, append(b, '\n'))
}

// admit takes a message's place in the rate; lost is how many had none before.
func (l *Logger) admit(level Level, now time.Time) (lost int, ok bool) {
	if level == Debug {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() {
		l.tokens = min(burst, l.tokens+now.Sub(l.last).Seconds()*perSecond)
	}
	l.last = now
	if l.tokens < 1 {
		l.suppressed++
		return 0, false
	}
	l.tokens--
	lost, l.suppressed = l.suppressed, 0
	return lost, true
}
