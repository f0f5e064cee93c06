package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// A psColumn is a column of ps(1).
type psColumn struct {
	header string
	left   bool // aligned to the left
	text   func(p *boot.ProcessInfo) string
}

const (
	day   = 24 * 60 * 60
	clock = 100 // ticks of a second, in which ps counts
)

func psNumber[T ~int | ~int32 | ~uint32 | ~int64 | ~uint64](of func(p *boot.ProcessInfo) T) func(p *boot.ProcessInfo) string {
	return func(p *boot.ProcessInfo) string { return fmt.Sprint(of(p)) }
}

func always(s string) func(p *boot.ProcessInfo) string {
	return func(*boot.ProcessInfo) string { return s }
}

// psColumns are the columns by ps's names for them.
func psColumns() map[string]psColumn {
	pid := func(p *boot.ProcessInfo) int32 { return p.PID }
	ppid := func(p *boot.ProcessInfo) int32 { return p.PPID }
	pgid := func(p *boot.ProcessInfo) int32 { return p.PGID }
	sid := func(p *boot.ProcessInfo) int32 { return p.SID }
	uid := func(p *boot.ProcessInfo) uint32 { return p.UID }
	ruid := func(p *boot.ProcessInfo) uint32 { return p.RUID }
	gid := func(p *boot.ProcessInfo) uint32 { return p.GID }
	vsz := func(p *boot.ProcessInfo) uint64 { return p.VirtualBytes >> 10 }
	rss := func(p *boot.ProcessInfo) uint64 { return p.ResidentBytes >> 10 }
	nice := func(p *boot.ProcessInfo) int32 { return p.Nice }
	threads := func(p *boot.ProcessInfo) int { return p.Threads }
	c := map[string]psColumn{
		"user": {"USER", true, psUser(uid)}, "owner": {"UID", true, psUser(uid)}, "ruser": {"RUSER", true, psUser(ruid)},
		"pid": {"PID", false, psNumber(pid)}, "ppid": {"PPID", false, psNumber(ppid)}, "pgid": {"PGID", false, psNumber(pgid)}, "sid": {"SID", false, psNumber(sid)},
		"uid": {"UID", false, psNumber(uid)}, "ruid": {"RUID", false, psNumber(ruid)}, "gid": {"GID", false, psNumber(gid)},
		"tty":  {"TTY", true, func(p *boot.ProcessInfo) string { return p.TTY }},
		"stat": {"STAT", true, psStat}, "s": {"S", true, func(p *boot.ProcessInfo) string { return p.State }},
		"time": {"TIME", false, psTime}, "bsdtime": {"TIME", false, psBSDTime},
		"etime":  {"ELAPSED", false, func(p *boot.ProcessInfo) string { return psElapsed(psAge(p)) }},
		"etimes": {"ELAPSED", false, psNumber(psAge)},
		"stime":  {"STIME", true, psStart}, "start": {"START", true, psStart},
		"lstart": {"STARTED", true, func(p *boot.ProcessInfo) string { return time.Unix(p.StartTimeS, 0).Format(time.ANSIC) }},
		"c":      {"C", false, func(p *boot.ProcessInfo) string { return strconv.Itoa(psCPU(p) / 10) }},
		"pcpu":   {"%CPU", false, func(p *boot.ProcessInfo) string { return fmt.Sprintf("%.1f", float64(psCPU(p))/10) }},
		"pmem":   {"%MEM", false, psMemory},
		"vsz":    {"VSZ", false, psNumber(vsz)}, "rss": {"RSS", false, psNumber(rss)},
		"sz":   {"SZ", false, psNumber(func(p *boot.ProcessInfo) uint64 { return p.VirtualBytes / uint64(os.Getpagesize()) })},
		"ni":   {"NI", false, psNumber(nice)},
		"pri":  {"PRI", false, func(p *boot.ProcessInfo) string { return strconv.Itoa(19 - int(p.Nice)) }},
		"nlwp": {"NLWP", false, psNumber(threads)}, "psr": {"PSR", false, psNumber(func(p *boot.ProcessInfo) int32 { return p.CPU })},
		"args": {"COMMAND", true, psArgs}, "cmd": {"CMD", true, psArgs},
		"comm":  {"COMMAND", true, func(p *boot.ProcessInfo) string { return p.Command }},
		"ucmd":  {"CMD", true, func(p *boot.ProcessInfo) string { return p.Command }},
		"wchan": {"WCHAN", true, always("-")}, "addr": {"ADDR", true, always("-")}, "f": {"F", false, always("0")},
	}
	for same, of := range map[string]string{
		"uname": "user", "euser": "user", "euid": "uid", "egid": "gid", "pgrp": "pgid", "sess": "sid", "session": "sid", "tt": "tty", "tname": "tty",
		"state": "s", "cputime": "time", "%cpu": "pcpu", "%mem": "pmem", "vsize": "vsz", "rssize": "rss", "rsz": "rss", "nice": "ni", "thcount": "nlwp",
		"command": "args", "ucomm": "comm", "flags": "f", "flag": "f",
	} {
		c[same] = c[of]
	}
	return c
}

// psUser shows a user as a number, as names are the container's own; 0 is root
// everywhere.
func psUser(of func(p *boot.ProcessInfo) uint32) func(p *boot.ProcessInfo) string {
	return func(p *boot.ProcessInfo) string {
		if of(p) == 0 {
			return "root"
		}
		return strconv.Itoa(int(of(p)))
	}
}

func psStat(p *boot.ProcessInfo) string {
	s := p.State
	switch {
	case p.Nice < 0:
		s += "<"
	case p.Nice > 0:
		s += "N"
	}
	if p.SID == p.PID {
		s += "s"
	}
	if p.Threads > 1 {
		s += "l"
	}
	if p.Foreground {
		s += "+"
	}
	return s
}

func psTime(p *boot.ProcessInfo) string {
	s := p.CPUTimeNS / int64(time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d", s%day/3600, s%3600/60, s%60)
	if s >= day {
		text = fmt.Sprintf("%d-%s", s/day, text)
	}
	return text
}

func psBSDTime(p *boot.ProcessInfo) string {
	s := p.CPUTimeNS / int64(time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func psAge(p *boot.ProcessInfo) int64 { return max(time.Now().Unix()-p.StartTimeS, 0) }

func psElapsed(s int64) string {
	switch {
	case s >= day:
		return fmt.Sprintf("%d-%02d:%02d:%02d", s/day, s%day/3600, s%3600/60, s%60)
	case s >= 3600:
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s%3600/60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

func psStart(p *boot.ProcessInfo) string {
	t := time.Unix(p.StartTimeS, 0)
	if psAge(p) < day {
		return t.Format("15:04")
	}
	return t.Format("Jan02")
}

// psCPU is the share of a processor since the process began, in thousandths.
func psCPU(p *boot.ProcessInfo) int {
	age := psAge(p)
	if age == 0 {
		return 0
	}
	return int(p.CPUTimeNS / int64(time.Millisecond) / age)
}

func psMemory(p *boot.ProcessInfo) string {
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) != nil || i.Totalram == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*float64(p.ResidentBytes)/float64(i.Totalram*uint64(i.Unit)))
}

func psArgs(p *boot.ProcessInfo) string {
	text := strings.Join(p.Args, " ")
	if text == "" {
		text = "[" + p.Command + "]"
		if p.State == "Z" {
			text += " <defunct>"
		}
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?' // a program's name does not speak to our terminal
		}
		return r
	}, text)
}

// psText lays out a table.
func psText(columns []psColumn, headers bool, procs []boot.ProcessInfo) string {
	rows := make([][]string, 0, len(procs)+1)
	if headers {
		var head []string
		for _, c := range columns {
			head = append(head, c.header)
		}
		rows = append(rows, head)
	}
	for i := range procs {
		var row []string
		for _, c := range columns {
			row = append(row, c.text(&procs[i]))
		}
		rows = append(rows, row)
	}
	width := make([]int, len(columns))
	for _, r := range rows {
		for i, s := range r {
			width[i] = max(width[i], len(s))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		for i, s := range r {
			if i > 0 {
				b.WriteByte(' ')
			}
			pad := strings.Repeat(" ", width[i]-len(s))
			switch {
			case !columns[i].left:
				b.WriteString(pad + s)
			case i == len(r)-1:
				b.WriteString(s)
			default:
				b.WriteString(s + pad)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// psNames returns the columns of a list of names.
func psNames(names ...string) (out []psColumn) {
	all := psColumns()
	for _, n := range names {
		out = append(out, all[n])
	}
	return out
}

// psSort orders processes by --sort's list of keys, each with a sign.
func psSort(procs []boot.ProcessInfo, keys string) error {
	all := psColumns()
	var columns []psColumn
	var down []bool
	for key := range strings.SplitSeq(keys, ",") {
		c, ok := all[strings.TrimLeft(key, "+-")]
		if !ok {
			return fmt.Errorf("--sort: %q is no key", key)
		}
		columns, down = append(columns, c), append(down, strings.HasPrefix(key, "-"))
	}
	slices.SortStableFunc(procs, func(a, b boot.ProcessInfo) int {
		for i, c := range columns {
			if n := psCompare(c.text(&a), c.text(&b)); n != 0 {
				if down[i] {
					return -n
				}
				return n
			}
		}
		return 0
	})
	return nil
}

func psCompare(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	switch {
	case err1 != nil || err2 != nil:
		return strings.Compare(a, b)
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
