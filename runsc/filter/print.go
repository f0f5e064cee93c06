package filter

import (
	"fmt"
	"io"
	"strings"
)

// Print writes tables for people: one line for each call with the same
// conditions and reason.
func Print(w io.Writer, tables ...Table) error {
	for i, t := range tables {
		sep := "\n"
		if i == 0 {
			sep = ""
		}
		if _, err := fmt.Fprintf(w, "%s%s: %s\n", sep, t.Zone, t.About); err != nil {
			return err
		}
		for _, line := range lines(t.Rules) {
			if _, err := fmt.Fprintf(w, "  %-18s %-50s %s\n", line.name, strings.Join(line.conditions, " | "), line.reason); err != nil {
				return err
			}
		}
	}
	return nil
}

type line struct {
	name, reason string
	conditions   []string
}

// lines gathers neighbouring alternatives of one call.
func lines(rules []Rule) []line {
	var out []line
	for _, r := range rules {
		c := r.condition()
		if n := len(out) - 1; n >= 0 && out[n].name == r.Name && out[n].reason == r.Reason && c != "" {
			out[n].conditions = append(out[n].conditions, c)
			continue
		}
		l := line{name: r.Name, reason: r.Reason}
		if c != "" {
			l.conditions = []string{c}
		}
		out = append(out, l)
	}
	return out
}

func (r Rule) condition() string {
	var parts []string
	for _, a := range r.Args {
		name := fmt.Sprintf("arg%d", a.Index)
		if a.Index == InstructionPointer {
			name = "ip"
		}
		switch a.Mask {
		case ^uint64(0), 0xffffffff:
			parts = append(parts, fmt.Sprintf("%s=%#x", name, a.Value))
		default:
			parts = append(parts, fmt.Sprintf("%s&%#x=%#x", name, a.Mask, a.Value))
		}
	}
	switch {
	case r.Errno != 0:
		parts = append(parts, "answered with "+r.Errno.Error())
	case r.Trap:
		parts = append(parts, "trapped")
	}
	return strings.Join(parts, ",")
}
