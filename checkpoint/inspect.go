package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Summary says what an image holds, as far as it can be told without the
// program's types.
type Summary struct {
	Objects uint64
	Slots   []string
	Kinds   []KindSummary
}

// A KindSummary describes one kind's section.
type KindSummary struct {
	Name    string
	Version uint32
	Count   uint64
	Bytes   int
	Schema  string
}

// Inspect reads an image's table of contents and verifies every checksum.
func Inspect(r io.Reader) (Summary, error) {
	var sum Summary
	fr, err := newFileReader(r)
	if err != nil {
		return sum, err
	}
	budget := uint64(baseBudget)
	for first := true; ; first = false {
		typ, raw, err := fr.section()
		if err != nil {
			return sum, err
		}
		d := &decoder{buf: raw, budget: &budget}
		switch {
		case first && typ == sectionHead:
			sum.Objects, sum.Slots = readHead(d)
			if d.err != nil {
				return sum, fmt.Errorf("checkpoint: %w", d.err)
			}
		case !first && typ == sectionKind:
			h, err := readKindHead(d)
			if err != nil {
				return sum, fmt.Errorf("checkpoint: %w", err)
			}
			sum.Kinds = append(sum.Kinds, KindSummary{h.name, h.version, h.count, len(raw), h.schema.String()})
		case !first && typ == sectionEnd:
			return sum, nil
		default:
			return sum, errors.New("checkpoint: sections are out of order")
		}
	}
}

func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d objects of %d kinds, slots %q\n", s.Objects, len(s.Kinds), s.Slots)
	for _, k := range s.Kinds {
		fmt.Fprintf(&b, "%8d %-32s v%d %9d bytes  %s\n", k.Count, k.Name, k.Version, k.Bytes, k.Schema)
	}
	return b.String()
}
