package isolation

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var runsc = flag.String("runsc", "../../bin/runsc", "the runsc to test")

// limit bounds every command.
const limit = 2 * time.Minute

// A box is a bundle whose tree has the program in it, with a secret outside.
type box struct {
	*testing.T
	dir    string // of all
	root   string // the container's tree
	bundle string
	state  string
	secret string // the path of a file that holds token
	token  string
}

func newBox(t *testing.T) *box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to set traps with device nodes")
	}
	if _, err := os.Stat(*runsc); err != nil {
		t.Skipf("no runsc to test: %v", err)
	}
	dir := t.TempDir()
	b := &box{T: t, dir: dir, bundle: filepath.Join(dir, "bundle"), state: filepath.Join(dir, "state"),
		token: fmt.Sprintf("secret-%d", time.Now().UnixNano())}
	b.root = filepath.Join(b.bundle, "rootfs")
	b.secret = filepath.Join(dir, "outside", "secret")
	for _, d := range []string{"tmp", "proc", "dev"} {
		b.must(os.MkdirAll(filepath.Join(b.root, d), 0o777))
	}
	b.must(os.MkdirAll(filepath.Dir(b.secret), 0o755))
	b.must(os.WriteFile(b.secret, []byte(b.token), 0o644))
	out, err := exec.Command("gcc", "-O1", "-static", "-o", filepath.Join(b.root, "escape"), "testdata/escape.c").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return b
}

func (b *box) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// in returns the host's name for a path of the container.
func (b *box) in(path string) string { return filepath.Join(b.root, path) }

// config writes the bundle's config.json for a command of root's with all
// capabilities; change may edit it.
func (b *box) config(change func(c map[string]any), args ...string) {
	b.Helper()
	os.Remove(filepath.Join(b.bundle, "config.json"))
	if r := b.run("spec", "--bundle", b.bundle); r.code != 0 {
		b.Fatal(r.stderr)
	}
	data, err := os.ReadFile(filepath.Join(b.bundle, "config.json"))
	b.must(err)
	var c map[string]any
	b.must(json.Unmarshal(data, &c))
	p := c["process"].(map[string]any)
	p["terminal"], p["args"], p["noNewPrivileges"] = false, args, false
	var all []string
	for _, n := range strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
		NET_ADMIN NET_RAW IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_ADMIN SYS_BOOT SYS_RESOURCE SYS_TTY_CONFIG MKNOD SETFCAP`) {
		all = append(all, "CAP_"+n)
	}
	p["capabilities"] = map[string]any{"bounding": all, "effective": all, "permitted": all, "inheritable": all}
	c["root"].(map[string]any)["readonly"] = false
	if change != nil {
		change(c)
	}
	data, err = json.Marshal(c)
	b.must(err)
	b.must(os.WriteFile(filepath.Join(b.bundle, "config.json"), data, 0o644))
}

// A result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

func (b *box) command(args ...string) (*exec.Cmd, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	return exec.CommandContext(ctx, *runsc, append([]string{"--root", b.state}, args...)...), cancel
}

func (b *box) run(args ...string) result {
	b.Helper()
	cmd, cancel := b.command(args...)
	defer cancel()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		b.Fatalf("runsc %q: %v", args, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// escape runs the program in the container and fails for what it gets.
func (b *box) escape(args ...string) {
	b.Helper()
	b.config(nil, append([]string{"/escape", b.token}, args...)...)
	b.judge(b.run("run", "--bundle", b.bundle, "escape"))
}

func (b *box) judge(r result) {
	b.Helper()
	if r.code != 0 || !strings.Contains(r.stdout, "tried ") {
		b.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for l := range strings.Lines(r.stdout) {
		if strings.HasPrefix(l, "leak") || strings.HasPrefix(l, "odd") {
			b.Error(strings.TrimSpace(l))
		}
	}
}

// untouched fails when anything but the secret lies outside.
func (b *box) untouched() {
	b.Helper()
	entries, err := os.ReadDir(filepath.Dir(b.secret))
	b.must(err)
	for _, e := range entries {
		if e.Name() != "secret" && !strings.HasPrefix(e.Name(), "s") {
			b.Errorf("the guest made %s outside", e.Name())
		}
	}
}

func mkdev(major, minor uint32) int { return int(unix.Mkdev(major, minor)) }
