package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

func usage(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprint(w, "runsc runs programs and OCI containers on a kernel of their own.\n\n"+
		"Usage: runsc [flags] COMMAND [flags] [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
		}
	}
	fmt.Fprint(w, "\nFlags:\n")
	printFlags(w, fs)
	fmt.Fprint(w, "\nExamples:\n  runsc do echo hello\n  runsc help do\n")
}

func (c *command) help(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprintf(w, "%s\n\nUsage: runsc %s %s\n", c.summary, c.name, c.args)
	if hasFlags(fs) {
		fmt.Fprint(w, "\nFlags:\n")
		printFlags(w, fs)
	}
	fmt.Fprint(w, "\nExamples:\n")
	for _, e := range c.examples {
		fmt.Fprintf(w, "  %s\n", e)
	}
}

func hasFlags(fs *flag.FlagSet) bool {
	any := false
	fs.VisitAll(func(*flag.Flag) { any = true })
	return any
}

func printFlags(w io.Writer, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		arg, text := flag.UnquoteUsage(f)
		if arg != "" {
			arg = " " + strings.ToUpper(arg)
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %-26s %s\n", dashes+f.Name+arg, text)
	})
}

// list collects a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// both declares a flag under two names.
func both[T any](declare func(p *T, name string, value T, usage string), p *T, long, short string, value T, text string) {
	declare(p, long, value, text)
	declare(p, short, value, "short for --"+long)
}
