package shim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// socketDir is where containerd's shims have their sockets.
const socketDir = "/run/containerd/s"

// groupNotes are the annotations that put containers into one shim.
var groupNotes = []string{"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}

// start prints the address of the shim for the bundle in the working directory,
// which it starts unless the container's pod has one.
func (c *call) start(args []string) error {
	group, err := c.group()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(filepath.Join(c.address, c.namespace, group)))
	path := filepath.Join(socketDir, hex.EncodeToString(sum[:]))
	address := "unix://" + path
	if !answers(path) {
		if err := c.spawn(path, args); err != nil {
			return err
		}
	}
	// containerd reads it when it comes back.
	if err := writeWhole("address", address); err != nil {
		return err
	}
	_, err = fmt.Print(address)
	return err
}

// group is the pod's name, or the container's own.
func (c *call) group() (string, error) {
	data, err := os.ReadFile("config.json")
	if err != nil {
		return "", err
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return "", fmt.Errorf("config.json: %w", err)
	}
	for _, note := range groupNotes {
		if group := s.Annotations[note]; group != "" {
			return group, nil
		}
	}
	return c.id, nil
}

// answers reports whether a shim listens on the socket.
func answers(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// spawn starts a shim that listens on path. What a dead shim has left there is
// removed.
func (c *call) spawn(path string, args []string) error {
	if err := os.MkdirAll(socketDir, 0o711); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	listener, err := l.File()
	if err != nil {
		return err
	}
	defer listener.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := os.StartProcess(self, append([]string{self}, withoutCommand(args)...), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, null, null, listener},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		os.Remove(path)
		return err
	}
	adjustOOMScore(p.Pid)
	return p.Release()
}

// withoutCommand is the shim's own command line.
func withoutCommand(args []string) (rest []string) {
	for _, a := range args {
		if a != "start" {
			rest = append(rest, a)
		}
	}
	return rest
}

// maxOOMScore is the highest of oom_score_adj.
const maxOOMScore = 1000

// adjustOOMScore makes the shim a little likelier to be killed for memory than
// containerd. Where that is not allowed it stays as likely.
func adjustOOMScore(pid int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", os.Getppid()))
	if err != nil {
		return
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	score = min(score+1, maxOOMScore)
	os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
}

// writeWhole replaces a file in one step.
func writeWhole(path, text string) error {
	tmp := fmt.Sprintf(".%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
