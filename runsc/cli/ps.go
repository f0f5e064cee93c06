package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"cordon/runsc/boot"
)

func psCommand() *command {
	return &command{
		name: "ps", args: "[flags] ID [options of ps(1)]", summary: "list the processes of a container, as ps(1) does inside",
		examples: []string{"runsc ps web", "runsc ps web aux", "runsc ps web -o pid,rss,args --sort -rss", "runsc ps --format json web"},
		minArgs:  1, maxArgs: -1,
		flags: func(fs *flag.FlagSet) runner {
			var format string
			both(fs.StringVar, &format, "format", "f", "table", "`FORMAT`: table (as inside), or json (host pids, as clients of runc expect)")
			return func(g *globals, args []string) (int, error) { return 0, ps(g, args[0], format, args[1:]) }
		},
	}
}

func ps(g *globals, id, format string, options []string) error {
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		pids := []int{}
		if c.State.Boot.Alive() {
			pids = append(pids, c.State.Boot.PID)
		}
		return json.NewEncoder(os.Stdout).Encode(pids)
	case "table":
	default:
		return fmt.Errorf("invalid format option")
	}
	if len(options) == 0 {
		options = []string{"-ef"} // runc's
	}
	o, err := parsePS(options)
	if err != nil {
		return fmt.Errorf("ps: %w", err)
	}
	var procs []boot.ProcessInfo
	// As runc's, the table of a container that has ended is empty.
	if err := c.Call(boot.OpProcesses, nil, &procs); err != nil && c.Status() != "stopped" {
		return err
	}
	for _, keep := range o.keep {
		procs = slices.DeleteFunc(procs, func(p boot.ProcessInfo) bool { return !keep(&p) })
	}
	if o.sort != "" {
		if err := psSort(procs, o.sort); err != nil {
			return err
		}
	}
	_, err = os.Stdout.WriteString(psText(o.table(), !o.bare, procs))
	return err
}

// psOptions are ps(1)'s, as far as they mean something for one container.
type psOptions struct {
	columns []psColumn
	bare    bool // without headers
	sort    string
	keep    []func(p *boot.ProcessInfo) bool

	args []string // that are still to be parsed
}

// table is the columns.
func (o *psOptions) table() []psColumn {
	if o.columns == nil {
		return psNames("pid", "tty", "time", "ucmd")
	}
	return o.columns
}

// Columns of the usual tables.
var (
	psFull     = []string{"owner", "pid", "ppid", "c", "stime", "tty", "time", "cmd"}
	psFullMore = []string{"owner", "pid", "ppid", "c", "sz", "rss", "psr", "stime", "tty", "time", "cmd"}
	psLong     = []string{"f", "s", "uid", "pid", "ppid", "c", "pri", "ni", "addr", "sz", "wchan", "tty", "time", "ucmd"}
	psJobs     = []string{"pid", "pgid", "sid", "tty", "time", "ucmd"}
	psBSD      = []string{"pid", "tty", "stat", "bsdtime", "command"}
	psBSDUser  = []string{"user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "start", "bsdtime", "command"}
	psBSDLong  = []string{"f", "uid", "pid", "ppid", "pri", "ni", "vsz", "rss", "wchan", "stat", "tty", "bsdtime", "command"}
	psBSDJobs  = []string{"ppid", "pid", "pgid", "sid", "tty", "stat", "uid", "bsdtime", "command"}
)

// parsePS reads options in ps's three styles.
func parsePS(args []string) (*psOptions, error) {
	o := &psOptions{args: args}
	for len(o.args) > 0 {
		a := o.args[0]
		o.args = o.args[1:]
		var err error
		switch {
		case strings.HasPrefix(a, "--"):
			err = o.long(a)
		case strings.HasPrefix(a, "-") && len(a) > 1:
			err = o.letters(a[1:], "-")
		case a != "" && a[0] >= '0' && a[0] <= '9':
			err = o.selectBy("p", a)
		default:
			err = o.letters(a, "")
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// value is an option's: the rest of its word, or the next one.
func (o *psOptions) value(option, rest string) (string, error) {
	switch {
	case rest != "":
		return rest, nil
	case len(o.args) == 0:
		return "", fmt.Errorf("option %s needs a value", option)
	}
	rest = o.args[0]
	o.args = o.args[1:]
	return rest, nil
}

func (o *psOptions) long(a string) error {
	name, value, given := strings.Cut(a, "=")
	switch name {
	case "--no-headers", "--no-heading", "--noheaders", "--noheadings":
		o.bare = true
		return nil
	case "--headers", "--cols", "--columns", "--width":
		return nil
	}
	letter, ok := map[string]string{"--format": "o", "--pid": "p", "--ppid": "P", "--user": "u", "--User": "U", "--sort": "sort"}[name]
	if !ok {
		return fmt.Errorf("there is no option %s here", name)
	}
	if !given {
		var err error
		if value, err = o.value(name, ""); err != nil {
			return err
		}
	}
	return o.selectBy(letter, value)
}

// letters reads a word of options; dash is empty for those of BSD.
func (o *psOptions) letters(word, dash string) error {
	for i, r := range word {
		letter, rest := dash+string(r), word[i+len(string(r)):]
		if tables, ok := map[string][]string{"-f": psFull, "-F": psFullMore, "-l": psLong, "-j": psJobs, "u": psBSDUser, "l": psBSDLong, "j": psBSDJobs}[letter]; ok {
			o.columns = psNames(tables...)
			continue
		}
		switch letter {
		case "-e", "-A", "-w", "w", "g":
			continue // everything, in full width: what there is anyway
		case "a", "x":
			if o.columns == nil {
				o.columns = psNames(psBSD...)
			}
			continue
		case "-d":
			o.keep = append(o.keep, func(p *boot.ProcessInfo) bool { return p.SID != p.PID })
			continue
		case "-a":
			o.keep = append(o.keep, func(p *boot.ProcessInfo) bool { return p.SID != p.PID && p.TTY != "?" })
			continue
		case "h":
			o.bare = true
			continue
		case "-o", "o", "-p", "p", "-C", "-u", "-U", "U":
		default:
			return fmt.Errorf("there is no option %s here; there are -e -A -a -d -f -F -j -l -w, -o -p -C -u, a x u j l w h, --sort and --no-headers", letter)
		}
		value, err := o.value(letter, rest)
		if err != nil {
			return err
		}
		return o.selectBy(strings.TrimPrefix(letter, "-"), value)
	}
	return nil
}

// selectBy is an option with a value.
func (o *psOptions) selectBy(letter, value string) error {
	switch letter {
	case "o":
		return o.format(value)
	case "sort":
		o.sort = value
		return nil
	}
	of := map[string]func(p *boot.ProcessInfo) string{
		"p": psNumber(func(p *boot.ProcessInfo) int32 { return p.PID }), "P": psNumber(func(p *boot.ProcessInfo) int32 { return p.PPID }),
		"u": psNumber(func(p *boot.ProcessInfo) uint32 { return p.UID }), "U": psNumber(func(p *boot.ProcessInfo) uint32 { return p.RUID }),
		"C": func(p *boot.ProcessInfo) string { return p.Command },
	}[letter]
	var list []string
	for s := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' }) {
		if (letter == "u" || letter == "U") && s == "root" {
			s = "0"
		}
		if letter != "C" && strings.Trim(s, "0123456789") != "" {
			return fmt.Errorf("%q is no number (names are the container's own)", s)
		}
		list = append(list, s)
	}
	o.keep = append(o.keep, func(p *boot.ProcessInfo) bool { return slices.Contains(list, of(p)) })
	return nil
}

// format reads -o's list: names, each with "=HEADER" perhaps, which takes the rest.
func (o *psOptions) format(list string) error {
	if o.columns == nil {
		o.columns = []psColumn{}
	}
	all := psColumns()
	for rest := list; rest != ""; {
		end := strings.IndexAny(rest, ", =")
		name, sep := rest, byte(0)
		if end >= 0 {
			name, sep, rest = rest[:end], rest[end], rest[end+1:]
		} else {
			rest = ""
		}
		if name == "" && sep != '=' {
			continue
		}
		c, ok := all[name]
		if !ok {
			return fmt.Errorf("there is no column %q here", name)
		}
		if sep == '=' {
			c.header, rest = rest, ""
		}
		o.columns = append(o.columns, c)
	}
	// Without a header in any column there is no line for them.
	o.bare = o.bare || !slices.ContainsFunc(o.columns, func(c psColumn) bool { return strings.TrimSpace(c.header) != "" })
	return nil
}
