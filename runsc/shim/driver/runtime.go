package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Runtime runs the runtime's commands.
type Runtime struct {
	// Binary is a path, or a name to look for in PATH.
	Binary string `json:"binary"`
	// Root is the directory of the containers' state.
	Root string `json:"root"`
	// Flags go before every command.
	Flags []string `json:"flags,omitempty"`
	// SystemdCgroup has systemd make the cgroups.
	SystemdCgroup bool `json:"systemdCgroup,omitempty"`

	Reaper *Reaper `json:"-"`
}

// A Process is where a created process's files are and its pid is written.
type Process struct {
	Stdio [3]*os.File // nil is nothing
	// ConsoleSocket is for a process with a terminal.
	ConsoleSocket string
	PIDFile       string
}

// Create makes a container whose program waits. Its runtime logs to logFile,
// which stays open for as long as the sandbox.
func (r *Runtime) Create(ctx context.Context, id, bundle, logFile string, p *Process, flags ...string) error {
	args := append([]string{"create", "--bundle", bundle}, p.flags()...)
	return r.quiet(ctx, logFile, p.Stdio, append(append(args, flags...), id)...)
}

// Restore is Create and Start of a container from an image.
func (r *Runtime) Restore(ctx context.Context, id, bundle, logFile, image, work string, p *Process) error {
	args := append([]string{"restore", "--detach", "--bundle", bundle, "--image-path", image, "--work-path", work}, p.flags()...)
	return r.quiet(ctx, logFile, p.Stdio, append(args, id)...)
}

// Exec starts a further process, which spec describes as config.json does.
func (r *Runtime) Exec(ctx context.Context, id string, spec []byte, p *Process) error {
	dir, err := os.MkdirTemp("", "runsc-exec")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "process.json")
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		return err
	}
	args := append([]string{"exec", "--detach", "--process", file}, p.flags()...)
	return r.quiet(ctx, filepath.Join(dir, "log"), p.Stdio, append(args, id)...)
}

func (p *Process) flags() []string {
	flags := []string{"--pid-file", p.PIDFile}
	if p.ConsoleSocket != "" {
		flags = append(flags, "--console-socket", p.ConsoleSocket)
	}
	return flags
}

// Start lets a container's program run.
func (r *Runtime) Start(ctx context.Context, id string) error { return r.do(ctx, "start", id) }

// Kill sends a signal to a container's first process, or to all of them.
func (r *Runtime) Kill(ctx context.Context, id string, sig uint32, all bool) error {
	args := []string{"kill"}
	if all {
		args = append(args, "--all")
	}
	return r.do(ctx, append(args, id, strconv.Itoa(int(sig)))...)
}

// Delete removes a stopped container.
func (r *Runtime) Delete(ctx context.Context, id string) error { return r.do(ctx, "delete", id) }

// ForceDelete removes a container in any state; one that is not there is no
// error.
func (r *Runtime) ForceDelete(ctx context.Context, id string) error {
	return r.do(ctx, "delete", "--force", id)
}

// Pause stops all code of a container.
func (r *Runtime) Pause(ctx context.Context, id string) error { return r.do(ctx, "pause", id) }

// Resume lets a paused container go on.
func (r *Runtime) Resume(ctx context.Context, id string) error { return r.do(ctx, "resume", id) }

// Update sets limits, given as JSON of the OCI specification's resources.
func (r *Runtime) Update(ctx context.Context, id string, resources []byte) error {
	_, err := r.output(ctx, resources, "update", "--resources", "-", id)
	return err
}

// Checkpoint saves a container to a directory.
func (r *Runtime) Checkpoint(ctx context.Context, id, image, work string, flags ...string) error {
	args := append([]string{"checkpoint", "--image-path", image}, flags...)
	if work != "" {
		args = append(args, "--work-path", work)
	}
	return r.do(ctx, append(args, id)...)
}

// PIDs are the host's pids of a container's processes.
func (r *Runtime) PIDs(ctx context.Context, id string) ([]uint32, error) {
	out, err := r.output(ctx, nil, "ps", "--format", "json", id)
	if err != nil {
		return nil, err
	}
	var pids []uint32
	if err := json.Unmarshal(out, &pids); err != nil {
		return nil, fmt.Errorf("ps --format json: %w", err)
	}
	return pids, nil
}

// Stats is what `events --stats` says.
func (r *Runtime) Stats(ctx context.Context, id string) ([]byte, error) {
	return r.output(ctx, nil, "events", "--stats", id)
}

// Features is what the runtime says it supports, as JSON.
func (r *Runtime) Features(ctx context.Context) ([]byte, error) {
	return r.output(ctx, nil, "features")
}

// command is a command line with the global flags.
func (r *Runtime) command(args []string, more ...string) (path string, argv []string, err error) {
	if path, err = exec.LookPath(r.Binary); err != nil {
		return "", nil, err
	}
	argv = append(argv, path, "--root", r.Root)
	if r.SystemdCgroup {
		argv = append(argv, "--systemd-cgroup")
	}
	argv = append(append(argv, r.Flags...), more...)
	return path, append(argv, args...), nil
}

// do performs a command that prints nothing.
func (r *Runtime) do(ctx context.Context, args ...string) error {
	_, err := r.output(ctx, nil, args...)
	return err
}

// output performs a command and returns its standard output. The message of a
// failure is what it wrote to standard error.
func (r *Runtime) output(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	path, argv, err := r.command(args)
	if err != nil {
		return nil, err
	}
	in, err := inputFile(input)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := newSink()
	if err != nil {
		return nil, err
	}
	errs, err := newSink()
	if err != nil {
		out.text()
		return nil, err
	}
	err = r.wait(ctx, path, argv, [3]*os.File{in, out.w, errs.w})
	stdout, stderr := out.text(), errs.text()
	if err != nil {
		return stdout, failure(err, lastLine(stderr))
	}
	return stdout, nil
}

// quiet performs a command whose standard files are a container's: the message
// of a failure is the last of its log.
func (r *Runtime) quiet(ctx context.Context, logFile string, stdio [3]*os.File, args ...string) error {
	path, argv, err := r.command(args, "--log", logFile, "--log-format", "json")
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for i := range stdio {
		if stdio[i] == nil {
			stdio[i] = null
		}
	}
	if err := r.wait(ctx, path, argv, stdio); err != nil {
		return failure(err, lastError(logFile))
	}
	return nil
}

// An exitError is a command's failure as its exit code.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// wait runs a program to its end, or kills it with the context.
func (r *Runtime) wait(ctx context.Context, path string, argv []string, stdio [3]*os.File) error {
	pid, ended, err := r.Reaper.Start(path, argv, &os.ProcAttr{Env: os.Environ(), Files: stdio[:],
		Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		return err
	}
	var e Exit
	select {
	case e = <-ended:
	case <-ctx.Done():
		syscall.Kill(pid, syscall.SIGKILL)
		<-ended
		return ctx.Err()
	}
	if e.Code != 0 {
		return exitError(e.Code)
	}
	return nil
}

// failure is an error with the runtime's message instead of its exit code.
func failure(err error, message string) error {
	var exit exitError
	if errors.As(err, &exit) && message != "" {
		return errors.New(message)
	}
	return err
}

// A sink takes the output of a command, up to a bound, and the rest too.
type sink struct {
	w    *os.File
	done chan []byte
}

// maxOutput is what is kept of a command's output.
const maxOutput = 4 << 20

func newSink() (*sink, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &sink{w: w, done: make(chan []byte, 1)}
	go func() {
		defer r.Close()
		text, _ := io.ReadAll(io.LimitReader(r, maxOutput))
		s.done <- text
		io.Copy(io.Discard, r)
	}()
	return s, nil
}

// text ends the sink. A process that outlives its command may hold the pipe, so
// it is not waited for long.
func (s *sink) text() []byte {
	s.w.Close()
	select {
	case text := <-s.done:
		return text
	case <-time.After(time.Second):
		return nil
	}
}

// inputFile is a standard input with these bytes.
func inputFile(data []byte) (*os.File, error) {
	if len(data) == 0 {
		return os.Open(os.DevNull)
	}
	f, err := os.CreateTemp("", "runsc-input")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// lastError is the last message of level error in a JSON log.
func lastError(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	message := ""
	for line := range bytes.Lines(data) {
		var e struct{ Level, Msg string }
		if json.Unmarshal(line, &e) == nil && e.Level == "error" {
			message = e.Msg
		}
	}
	return message
}
