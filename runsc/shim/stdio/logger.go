package stdio

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A logger is a program that gets a container's two outputs, as containerd
// defines for binary:// URIs: descriptors 3 and 4 to read, and 5 to close when
// it is ready.
type logger struct {
	process *os.Process
}

// loggerPatience is how long a logging program may take to be ready.
const loggerPatience = 10 * time.Second

// openLogger starts the program that the URI names, with its query as arguments.
func (f *Files) openLogger(u *url.URL, o Owner) error {
	var ends [3][2]*os.File // stdout, stderr, ready: reading and writing end
	defer func() {
		ends[0][0].Close()
		ends[1][0].Close()
		ends[2][0].Close()
		ends[2][1].Close()
	}()
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		ends[i] = [2]*os.File{r, w}
	}
	f.child[1], f.child[2] = ends[0][1], ends[1][1]
	argv := []string{u.Path}
	for key, values := range u.Query() {
		argv = append(argv, key)
		if values[0] != "" {
			argv = append(argv, values[0])
		}
	}
	path, err := exec.LookPath(u.Path)
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Env:   append(os.Environ(), "CONTAINER_ID="+o.ID, "CONTAINER_NAMESPACE="+o.Namespace),
		Files: []*os.File{null, null, null, ends[0][0], ends[1][0], ends[2][1]},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	f.logger = &logger{process: p}
	ends[2][1].Close()
	ends[2][0].SetReadDeadline(time.Now().Add(loggerPatience))
	if _, err := ends[2][0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) && err != nil {
		return fmt.Errorf("logging program %s: %w", u.Path, err)
	}
	return nil
}

// close gives the program time to write what it has read, and ends it. (The
// reaper collects it.)
func (l *logger) close() {
	deadline := time.Now().Add(drainPatience)
	for time.Now().Before(deadline) {
		if l.process.Signal(syscall.Signal(0)) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.process.Kill()
}
