package prog

import (
	_ "embed"
	"strconv"
	"strings"
)

// consts.txt is made by consts.sh from the C headers: a name and its value a
// line.
//
//go:embed consts.txt
var constsText string

func constants() map[string]int64 {
	m := map[string]int64{}
	for line := range strings.Lines(constsText) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseInt(value, 10, 64); ok && err == nil {
			m[name] = v
		}
	}
	return m
}
