package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// A logger writes lines to the file of --log, in the form of runc's logs,
// which clients read for the reason of a failure.
type logger struct {
	file  *os.File
	json  bool
	debug bool
}

func (l *logger) open(path, format string, debug bool) error {
	switch format {
	case "text", "json":
	default:
		return fmt.Errorf("--log-format: unknown log format %q", format)
	}
	l.json, l.debug = format == "json", debug
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	l.file = f
	return nil
}

func (l *logger) log(level, message string) {
	if l.file == nil || level == "debug" && !l.debug {
		return
	}
	now := time.Now().Format(time.RFC3339)
	var line []byte
	if l.json {
		line, _ = json.Marshal(map[string]string{"level": level, "msg": message, "time": now})
	} else {
		line = fmt.Appendf(nil, "time=%q level=%s msg=%q", now, level, message)
	}
	l.file.Write(append(line, '\n'))
}

// warn logs a warning, and shows it where there is no log.
func (l *logger) warn(message string) {
	l.log("warning", message)
	if l.file == nil {
		fmt.Fprintf(os.Stderr, "runsc: warning: %s\n", message)
	}
}
