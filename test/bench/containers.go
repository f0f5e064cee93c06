package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// together is how many containers start at once in the rows that do so.
const together = 50

// containerRows are taken by ROWS=containers: OCI commands as engines give
// them, with runc in the place of native.
func containerRows() []row {
	const runc, daemon = "runc", "containerd"
	return []row{
		{key: "run", text: "run of a bundle, to its exit", unit: milli, needs: []string{runc}, root: true, oci: true, measure: (*bench).runBundle},
		{key: "run50", text: "run of 50 bundles at once, until all have ended", unit: milli, needs: []string{runc}, root: true, oci: true, rounds: 3, measure: (*bench).runBundles},
		{key: "ctr", text: "ctr run, to its exit", unit: milli, needs: []string{runc, daemon, "ctr"}, root: true, oci: true, measure: (*bench).ctrRun},
		{key: "ctr50", text: "50 times ctr run at once, until all have ended", unit: milli, needs: []string{runc, daemon, "ctr"}, root: true, oci: true, rounds: 3, measure: (*bench).ctrRuns},
	}
}

// ociProgram is what a runtime's containers are started with: runc natively.
func (b *bench) ociProgram(rt *runtime) (string, error) {
	if len(rt.command) == 0 {
		return lookIn(searchPath(), "runc")
	}
	return filepath.Abs(rt.command[0])
}

func lookIn(path, name string) (string, error) {
	for dir := range strings.SplitSeq(path, ":") {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// bundle makes an OCI bundle whose program ends at once, and returns its
// directory. Every runtime gets the same.
func (b *bench) bundle() (string, error) {
	dir := filepath.Join(b.dir, "bundle")
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
		return dir, nil
	}
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"proc", "dev", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	source := filepath.Join(dir, "end.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		return "", err
	}
	if out, err := exec.Command("gcc", "-static", "-O2", "-o", filepath.Join(root, "end"), source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc end.c: %v%s", err, tail(string(out)))
	}
	if out, err := commandIn(dir, *runsc, "spec"); err != nil {
		return "", fmt.Errorf("spec: %v%s", err, tail(out))
	}
	return dir, editConfig(filepath.Join(dir, "config.json"))
}

// commandIn runs a program with another working directory.
func commandIn(dir, program string, args ...string) (string, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// editConfig has the container run /end without a terminal.
func editConfig(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		return err
	}
	process, ok := config["process"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no process", path)
	}
	process["terminal"], process["args"] = false, []string{"/end"}
	if data, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func (b *bench) runBundle(rt *runtime) ([]sample, error) {
	var got []sample
	for range starts {
		s, err := b.containers(rt, 1, b.ociRun)
		if err != nil {
			return nil, err
		}
		got = append(got, s)
	}
	return got, nil
}

func (b *bench) runBundles(rt *runtime) ([]sample, error) {
	s, err := b.containers(rt, together, b.ociRun)
	return []sample{s}, err
}

func (b *bench) ctrRun(rt *runtime) ([]sample, error) {
	return b.withContainerd(func(run containerCommand) ([]sample, error) {
		// The first makes the daemon's directories.
		if _, err := b.containers(rt, 1, run); err != nil {
			return nil, err
		}
		var got []sample
		for range starts {
			s, err := b.containers(rt, 1, run)
			if err != nil {
				return nil, err
			}
			got = append(got, s)
		}
		return got, nil
	})
}

func (b *bench) ctrRuns(rt *runtime) ([]sample, error) {
	return b.withContainerd(func(run containerCommand) ([]sample, error) {
		s, err := b.containers(rt, together, run)
		return []sample{s}, err
	})
}

// A containerCommand is the command that runs the container id with an OCI
// runtime and ends when it has ended.
type containerCommand func(ctx context.Context, program, id string) (*exec.Cmd, error)

// ociRun is the runtime's own run command.
func (b *bench) ociRun(ctx context.Context, program, id string) (*exec.Cmd, error) {
	dir, err := b.bundle()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, program, "--root", filepath.Join(b.dir, "state-"+filepath.Base(program)), "run", "--bundle", dir, id), nil
}

// containers runs n containers at once and returns the nanoseconds until the
// last has ended.
func (b *bench) containers(rt *runtime, n int, command containerCommand) (sample, error) {
	program, err := b.ociProgram(rt)
	if err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	cmds := make([]*exec.Cmd, n)
	said := make([]bytes.Buffer, n)
	for i := range cmds {
		id := fmt.Sprintf("bench-%d-%d-%d", os.Getpid(), time.Now().UnixNano(), i)
		if cmds[i], err = command(ctx, program, id); err != nil {
			return sample{}, err
		}
		cmds[i].Stdout, cmds[i].Stderr = &said[i], &said[i]
		cmds[i].WaitDelay = 5 * time.Second
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	begin := time.Now()
	for i, cmd := range cmds {
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				errs[i] = fmt.Errorf("%v%s", err, tail(said[i].String()))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return sample{}, err
		}
	}
	return sample{value: float64(took)}, nil
}

// withContainerd runs a containerd of its own, in an empty network namespace,
// while measure runs containers by it.
func (b *bench) withContainerd(measure func(containerCommand) ([]sample, error)) ([]sample, error) {
	dir, err := os.MkdirTemp(b.dir, "containerd")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "sock")
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), socket)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	stop, err := startDaemon(dir, socket)
	if err != nil {
		return nil, err
	}
	defer stop()
	bundle, err := b.bundle()
	if err != nil {
		return nil, err
	}
	ctr, err := lookIn(searchPath(), "ctr")
	if err != nil {
		return nil, err
	}
	return measure(func(ctx context.Context, program, id string) (*exec.Cmd, error) {
		return exec.CommandContext(ctx, ctr, "--address", socket, "run", "--rm", "--runc-binary", program,
			"--runc-root", filepath.Join(dir, "runc"), "--rootfs", filepath.Join(bundle, "rootfs"), id, "/end"), nil
	})
}

// startDaemon starts containerd and waits until it listens.
func startDaemon(dir, socket string) (stop func(), err error) {
	program, err := lookIn(searchPath(), "containerd")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, "--config", filepath.Join(dir, "config.toml"))
	cmd.Env = append(os.Environ(), "PATH="+searchPath())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		endShims(socket)
	}
	for range 200 {
		if _, err := os.Stat(socket); err == nil {
			return stop, nil
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("containerd ended: %v%s", err, tail(string(said)))
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return nil, errors.New("containerd does not listen")
}

// endShims kills the shims of the daemon at socket that a failed run left.
func endShims(socket string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		data, _ := os.ReadFile(l)
		if bytes.Contains(data, []byte("containerd-shim")) && bytes.Contains(data, []byte(socket)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(l)))
			syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
		}
	}
}
