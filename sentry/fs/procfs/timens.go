package procfs

import (
	"fmt"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/task"
)

// bootAhead is by how much the reader's time namespace shows CLOCK_BOOTTIME ahead.
func (o *opening) bootAhead() int64 {
	if o.caller == nil {
		return 0
	}
	return o.caller.TimeAhead(o.fs.sys.Clocks.Boottime)
}

// timensText is /proc/pid/timens_offsets: of the namespace for children.
func timensText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	off := t.Namespaces().TimeForChildren.Offsets()
	line := func(name string, ns int64) string {
		ts := linux.TimespecFromNS(ns) // below 0 too, with Nsec above
		return fmt.Sprintf("%-10s %10d %9d\n", name, ts.Sec, ts.Nsec)
	}
	return []byte(line("monotonic", off.Monotonic) + line("boottime", off.Boottime)), nil
}

// maxTimeOffsets is how many lines one write has; more are not looked at.
const maxTimeOffsets = 2

// writeTimens sets the offsets (Linux: fs/proc/base.c timens_offsets_write).
func writeTimens(o *opening, b []byte) error {
	const page = 4096
	if len(b) >= page {
		return linux.EINVAL
	}
	var lines []task.TimeOffset
	text, _, _ := strings.Cut(string(b), "\x00")
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		l, ok := parseTimeOffset(line)
		if !ok {
			return linux.EINVAL
		}
		if lines = append(lines, l); len(lines) == maxTimeOffsets {
			break
		}
	}
	t, err := o.task()
	if err != nil {
		return err
	}
	sys, ns := o.fs.sys, t.Namespaces().TimeForChildren
	if !o.cred.HasIn(linux.CAP_SYS_TIME, ns.UserNS(sys)) {
		return linux.EPERM
	}
	if e := sys.SetTimeOffsets(ns, lines); e != 0 {
		return e
	}
	return nil
}

// parseTimeOffset reads "monotonic 10 500", or the clock's number for its name.
func parseTimeOffset(line string) (l task.TimeOffset, ok bool) {
	f := strings.Fields(line)
	if len(f) < 3 {
		return l, false
	}
	switch f[0] {
	case "monotonic", "1":
	case "boottime", "7":
		l.Boottime = true
	default:
		return l, false
	}
	sec, err := strconv.ParseInt(f[1], 10, 64)
	nsec, err2 := strconv.ParseUint(f[2], 10, 64)
	if err != nil || err2 != nil || nsec >= 1e9 {
		return l, false
	}
	l.Sec, l.Nsec = sec, int64(nsec)
	return l, true
}
