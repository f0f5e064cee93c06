package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A denialLog writes a line for each thing that was not allowed.
type denialLog struct {
	// immutable
	fd   int
	json bool

	mu sync.Mutex
	// guarded by mu
	second  int64 // since the epoch
	lines   int   // in this second
	dropped int
}

// maxDenials is how many lines a second are written; a guest can try much more often.
const maxDenials = 100

// A denial is a line of the log.
type denial struct {
	Time  string   `json:"time"`
	Level string   `json:"level"`
	Msg   string   `json:"msg"`
	Proto string   `json:"proto"`
	To    string   `json:"to,omitempty"`
	Names []string `json:"names,omitempty"`
	More  int      `json:"unlogged,omitempty"`
}

// denied logs one attempt.
func (l *denialLog) denied(proto string, to netip.AddrPort, names []string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second {
		l.second, l.lines = s, 0
	}
	if l.lines++; l.lines > maxDenials {
		l.dropped++
		return
	}
	d := denial{now.UTC().Format(time.RFC3339Nano), "warning", "egress denied", proto, "", names, l.dropped}
	l.dropped = 0
	if to.IsValid() {
		d.To = to.String()
	}
	line := fmt.Sprintf("%s warning: egress denied: %s", d.Time, strings.Join(append([]string{proto, d.To}, names...), " "))
	if l.json {
		data, err := json.Marshal(d)
		if err != nil {
			return
		}
		line = string(data)
	}
	unix.Write(l.fd, []byte(line+"\n")) // who does not read the log does not get it
}
