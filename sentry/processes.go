package sentry

import (
	"fmt"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/task"
)

// A ProcessInfo is one line of `runsc ps`.
type ProcessInfo struct {
	PID, PPID, PGID, SID int32
	UID, RUID, GID       uint32
	Threads              int
	State                string // a letter as in /proc/PID/stat
	TTY                  string // "pts/0" or "?"
	Foreground           bool   // in its terminal's foreground
	StartTimeS           int64  // seconds since the epoch
	CPUTimeNS            int64
	Nice, CPU            int32
	VirtualBytes         uint64
	ResidentBytes        uint64
	Command              string
	Args                 []string
}

// Processes lists the processes of the container in order of id.
func (c *Container) Processes() []ProcessInfo {
	var out []ProcessInfo
	wall := c.sys.Clocks.Realtime.Now() - c.sys.Clocks.Boottime.Now()
	for _, g := range c.sys.ContainerProcesses(c.label) {
		l := g.Leader()
		u, cr := g.Usage(), l.Cred()
		i := ProcessInfo{
			PID: g.ID(), PPID: g.ParentID(), SID: g.SessionID(), UID: cr.EUID, RUID: cr.RUID, GID: cr.EGID, Threads: max(g.Count(), 1), State: string(l.State()),
			StartTimeS: (wall + g.StartTime()) / 1e9, CPUTimeNS: u.UserNS + u.SystemNS, Nice: l.Sched().Nice, CPU: int32(l.CPU()), Command: l.Name(), Args: arguments(l),
		}
		if pgid, _, e := l.GroupOf(0); e == 0 {
			i.PGID = pgid
		}
		i.TTY, i.Foreground = terminalOf(g, i.PGID)
		i.VirtualBytes, i.ResidentBytes = sizes(l)
		out = append(out, i)
	}
	return out
}

// terminalOf names a process's terminal, and says whether its group has it.
func terminalOf(g *task.ThreadGroup, pgid int32) (name string, foreground bool) {
	tty := g.ControllingTTY()
	if tty == nil {
		return "?", false
	}
	const pts = 136 // the first of the majors of /dev/pts
	name = "tty"
	if d := tty.Device(); linux.DevMajor(d) == pts {
		name = fmt.Sprintf("pts/%d", linux.DevMinor(d))
	}
	return name, int32(tty.ForegroundGroup()) == pgid
}

// sizes are a process's virtual and resident memory.
func sizes(t *task.Task) (virtual, resident uint64) {
	m := t.MM()
	if m == nil || !m.IncUsers() {
		return 0, 0
	}
	defer m.DecUsers()
	s := m.Sizes()
	return s.Size, s.Pages.RSS()
}

// maxArguments bounds what is shown of a command line.
const maxArguments = 64 << 10

// arguments reads a process's command line from its memory.
func arguments(t *task.Task) []string {
	m := t.MM()
	if m == nil || !m.IncUsers() {
		return nil
	}
	defer m.DecUsers()
	l := m.Layout()
	if l.ArgEnd <= l.ArgStart {
		return nil
	}
	b := make([]byte, min(l.ArgEnd-l.ArgStart, maxArguments))
	n, _ := m.CopyIn(l.ArgStart, b)
	return strings.Split(strings.TrimRight(string(b[:n]), "\x00"), "\x00")
}
