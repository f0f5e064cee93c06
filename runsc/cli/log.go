package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
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
	// A FIFO that nobody reads is not waited for.
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return fmt.Errorf("--log: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return fmt.Errorf("--log: %s: %w", path, err)
	}
	l.file = os.NewFile(uintptr(fd), path)
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
