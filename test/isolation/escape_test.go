package isolation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// traps puts links that lead outside into the tree and returns the paths to try.
func (b *box) traps() []string {
	paths := []string{b.secret}
	up := strings.Repeat("../", 20)
	for name, target := range map[string]string{
		"abs": b.secret, "rel": up + b.secret[1:], "dir": filepath.Dir(b.secret), "reldir": up + filepath.Dir(b.secret)[1:], "rootlink": "/",
		"viaproc": "/proc/self/root" + b.secret, "viaproc1": "/proc/1/root" + b.secret, "cwd": "/proc/self/cwd/" + up + b.secret[1:], "tmp/abs": b.secret,
	} {
		b.must(os.Symlink(target, b.in(name)))
		if strings.HasSuffix(name, "dir") {
			name += "/secret"
		}
		paths = append(paths, "/"+name)
	}
	return append(paths, "/rootlink"+b.secret, "/rootlink/../.."+b.secret, "/tmp/../../../.."+b.secret)
}

func TestPaths(t *testing.T) {
	b := newBox(t)
	paths := b.traps()
	b.escape(append([]string{"paths"}, paths...)...)
	b.untouched()

	// The test can tell: on the host the same paths lead there.
	for i := range paths[1:] {
		paths[i+1] = b.in(paths[i+1])
	}
	out, err := exec.Command(b.in("escape"), append([]string{b.token, "paths"}, paths...)...).Output()
	b.must(err)
	for _, want := range []string{b.secret, b.in("abs"), b.in("rel"), b.in("dir/secret"), "/proc/self/root/" + b.secret} {
		if !strings.Contains(string(out), "leak: "+want+"\n") {
			t.Errorf("the program does not find %s on the host:\n%s", want, out)
		}
	}
}

func TestDescriptors(t *testing.T) {
	b := newBox(t)
	b.escape("descriptors", b.secret)
	b.untouched()
}

func TestMounts(t *testing.T) {
	b := newBox(t)
	b.must(os.WriteFile(b.in("tmp/disk"), make([]byte, 1<<20), 0o644))
	b.escape("mounts", b.secret)
	b.untouched()
}

func TestDevices(t *testing.T) {
	b := newBox(t)
	var made []string
	for i, n := range []struct {
		mode         uint32
		major, minor uint32
	}{{unix.S_IFBLK, 7, 0}, {unix.S_IFBLK, 8, 0}, {unix.S_IFBLK, 254, 0}, {unix.S_IFCHR, 1, 1}, {unix.S_IFCHR, 10, 232}, {unix.S_IFCHR, 4, 64}} {
		name := fmt.Sprintf("/node%d", i)
		if err := unix.Mknod(b.in(name), n.mode|0o666, mkdev(n.major, n.minor)); err != nil {
			t.Skipf("cannot make device nodes here: %v", err)
		}
		made = append(made, name)
	}
	b.escape(append([]string{"devices"}, made...)...)
}

// A process of the host listens in the container's tree and would pass a
// descriptor of the secret to whoever connects.
func TestSockets(t *testing.T) {
	b := newBox(t)
	addr, err := net.ResolveUnixAddr("unix", b.in("sock"))
	b.must(err)
	l, err := net.ListenUnix("unix", addr)
	if err != nil {
		t.Skipf("the path is too long for a socket: %v", err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f, err := os.Open(b.secret)
			if err == nil {
				c.WriteMsgUnix([]byte("x"), unix.UnixRights(int(f.Fd())), nil)
				f.Close()
			}
			c.Close()
		}
	}()
	b.escape("sockets", "/sock")
}

// pairs is how many directories escape.c's race walks through.
const pairs = 40

// swapped makes directories and links to one outside with the same names, and
// exchanges the two of each pair until stop is called.
func (b *box) swapped(parent string) (stop func()) {
	b.must(os.MkdirAll(parent, 0o777))
	out, safe := filepath.Join(b.dir, "outside"), filepath.Join(b.dir, "safe")
	b.must(os.WriteFile(safe, []byte("safe"), 0o644))
	for i := range pairs {
		dir := filepath.Join(parent, fmt.Sprint("here", i))
		b.must(os.Mkdir(dir, 0o777))
		b.must(os.Symlink(out, filepath.Join(parent, fmt.Sprint("there", i))))
		for j := range 50 {
			b.must(os.Link(safe, filepath.Join(dir, fmt.Sprint("s", j))))
		}
	}
	for j := range 50 {
		b.must(os.Link(b.secret, filepath.Join(out, fmt.Sprint("s", j))))
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, filepath.Join(parent, fmt.Sprint("there", i%pairs)),
					unix.AT_FDCWD, filepath.Join(parent, fmt.Sprint("here", i%pairs)), unix.RENAME_EXCHANGE)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// race runs a command that races until it ends.
func (b *box) race(args ...string) {
	b.Helper()
	cmd, cancel := b.command(args...)
	defer cancel()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	b.must(err)
	b.must(cmd.Start())
	data, err := io.ReadAll(bufio.NewReader(out))
	b.must(err)
	cmd.Wait()
	b.judge(result{string(data), errs.String(), cmd.ProcessState.ExitCode()})
	b.untouched()
}

func TestRenamerInRoot(t *testing.T) {
	b := newBox(t)
	defer b.swapped(b.root)()
	b.config(nil, "/escape", b.token, "race", "/here", "4000")
	b.race("run", "--bundle", b.bundle, "race")

	// The test can tell: on the host a walk gets out.
	out, err := exec.Command(b.in("escape"), b.token, "race", b.in("here"), "4000").Output()
	b.must(err)
	if !strings.Contains(string(out), "leak") {
		t.Errorf("the program does not get out on the host:\n%s", out)
	}
}

func TestRenamerInBind(t *testing.T) {
	for _, kind := range []string{"--bind", "--rw-bind"} {
		t.Run(kind[2:], func(t *testing.T) {
			b := newBox(t)
			parent := filepath.Join(b.dir, "shown")
			defer b.swapped(parent)()
			// The directory outside is hidden: `do` shows the host's root.
			b.race("do", "--tmpfs", filepath.Join(b.dir, "outside"), kind, parent+":/mnt", "--bind", b.in("escape")+":/usr/bin/true:ro",
				"/usr/bin/true", b.token, "race", "/mnt/here", "4000")
		})
	}
}
