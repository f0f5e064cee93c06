package sentry

import (
	"strings"

	"cordon/sentry/task"
)

// A ProcessInfo is one line of `runsc ps`.
type ProcessInfo struct {
	PID, PPID  int32
	UID        uint32
	Threads    int
	State      string
	TTY        string
	StartTimeS int64
	CPUTimeNS  int64
	Command    string
	Args       []string
}

// Processes lists the processes of the container in order of id.
func (c *Container) Processes() []ProcessInfo {
	var out []ProcessInfo
	wall := c.sys.Clocks.Realtime.Now() - c.sys.Clocks.Boottime.Now()
	for _, g := range c.sys.ContainerProcesses(c.label) {
		l := g.Leader()
		u := g.Usage()
		out = append(out, ProcessInfo{
			PID: g.ID(), PPID: g.ParentID(), UID: l.Cred().EUID, Threads: g.Count(), State: string(l.State()), TTY: "?",
			StartTimeS: (wall + g.StartTime()) / 1e9, CPUTimeNS: u.UserNS + u.SystemNS, Command: l.Name(), Args: arguments(l),
		})
	}
	return out
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
