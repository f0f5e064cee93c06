package patch

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run runs a program and returns what it printed and its exit status.
func run(t *testing.T, stdin string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", args, err, out.String())
	}
	if !cmd.ProcessState.Exited() {
		return out.String() + cmd.ProcessState.String(), -1
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// same runs a command twice, the words of it replaced by pairs the second time.
func same(t *testing.T, stdin string, native, patched []string) {
	t.Helper()
	want, code := run(t, stdin, native...)
	got, code2 := run(t, stdin, patched...)
	if got != want || code != code2 {
		t.Errorf("%v: exit %d, native %d; printed\n%.2000s\nnative\n%.2000s", native[1:], code2, code, got, want)
	} else if testing.Verbose() {
		t.Logf("exit %d, printed %.60q", code, got)
	}
}

func TestPatchedStatic(t *testing.T) {
	for _, c := range []struct {
		name string
		far  bool
		path func() string
	}{
		{"glibc", false, func() string { return compile(t, "prog", threadsC, "gcc", "-static") }},
		{"glibc_far", true, func() string { return compile(t, "prog", threadsC, "gcc", "-static") }},
		{"glibc_static_pie", false, func() string { return compile(t, "prog", threadsC, "gcc", "-static-pie") }},
		{"musl", false, func() string { return compile(t, "prog", threadsC, "musl-gcc", "-static") }},
		{"go", false, func() string { return goBuild(t, httpGo) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.path()
			r := rewrite(t, path, filepath.Join(t.TempDir(), "prog"), c.far)
			t.Logf("%d of %d sites", len(r.patches), r.sites)
			for range 3 {
				same(t, "", []string{path}, []string{r.path})
			}
		})
	}
}

func TestPatchedBusybox(t *testing.T) {
	const path = "/bin/busybox"
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	for _, far := range []bool{false, true} {
		r := rewrite(t, path, filepath.Join(t.TempDir(), "busybox"), far)
		t.Logf("%d of %d sites", len(r.patches), r.sites)
		text := strings.Repeat("some words\nto be sorted\nand counted 12\n", 5000)
		for _, c := range []string{
			"sort -r", "sha256sum", "wc", "gzip -9c | B gunzip -c | B md5sum", "sed s/w/x/g", "awk '{n += NF} END {print n}'",
			"tr a-z A-Z | B uniq -c", "cat | B head -3; B echo $?", "true; B ls -l /etc; B stat -c %s /etc/passwd",
			"mkdir -p D/x && cd D/x && B touch a b && B ln -s a c && B find . | B sort && B tar cf - . | B tar tf - | B sort",
			"vi -h", "sleep 0.01; (kill -TERM $$) & sleep 5", "for i in 1 2 3; do (B echo $i; exit $i) & wait $!; B echo $?; done",
			"seq 1000 | B xargs -n 50 B echo | B wc", "timeout 0.1 B sleep 5; B echo $?", "nc -l -p 0 -w 1 >/dev/null 2>&1; B echo done",
			"dd if=/dev/zero bs=64k count=20 2>/dev/null | B cksum", "trap 'B echo usr1' USR1; kill -USR1 $$; wait; B echo ok",
			"df / >/dev/null; B id -u; B uname; B pidof nothing; B printf '%s\\n' x",
		} {
			command := func(b string) []string {
				c := strings.ReplaceAll(c, "D/", t.TempDir()+"/")
				if first, _, _ := strings.Cut(c, " "); first != "for" && first != "trap" && first != "true;" {
					c = "B " + c
				}
				return []string{b, "sh", "-c", strings.ReplaceAll(c, "B ", b+" ")}
			}
			same(t, text, command(path), command(r.path))
		}
	}
}

// TestPatchedDynamic runs programs on a patched libc and loader.
func TestPatchedDynamic(t *testing.T) {
	for _, c := range []struct{ name, loader, libc, cc string }{
		{"glibc", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "gcc"},
		{"musl", "/usr/lib/x86_64-linux-musl/libc.so", "", "musl-gcc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.loader); err != nil {
				t.Skip(err)
			}
			prog := compile(t, "prog", threadsC, c.cc)
			dir := t.TempDir()
			loader := rewrite(t, c.loader, filepath.Join(dir, filepath.Base(c.loader)), false)
			t.Logf("loader: %d of %d sites", len(loader.patches), loader.sites)
			if c.libc != "" {
				libc := rewrite(t, c.libc, filepath.Join(dir, filepath.Base(c.libc)), false)
				t.Logf("libc: %d of %d sites", len(libc.patches), libc.sites)
			}
			both := func(stdin string, args ...string) {
				t.Helper()
				if _, err := os.Stat(args[0]); err != nil {
					t.Logf("no %s here", args[0])
					return
				}
				same(t, stdin, append([]string{c.loader}, args...),
					append([]string{loader.path, "--library-path", dir}, args...))
			}
			for range 3 {
				both("", prog)
			}
			if c.libc == "" {
				return
			}
			both("", "/bin/bash", "-c", "for i in $(seq 50); do (exit $i); echo $? $(echo x); done")
			both("", "/bin/ls", "-l", "/etc")
			both("", "/usr/bin/node", "-e", nodeJS)
			for _, py := range []string{"/usr/bin/python3", "/usr/local/bin/python3"} {
				both("", py, "-c", python)
			}
		})
	}
}

// TestPatchedLibc gives whole trees of processes a patched libc.
func TestPatchedLibc(t *testing.T) {
	const path = "/lib/x86_64-linux-gnu/libc.so.6"
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	r := rewrite(t, path, filepath.Join(dir, filepath.Base(path)), false)
	t.Logf("%d of %d sites", len(r.patches), r.sites)
	if maps, _ := run(t, "", "/bin/sh", "-c", "LD_LIBRARY_PATH="+dir+" cat /proc/self/maps"); !strings.Contains(maps, dir) {
		t.Fatalf("programs do not load %s:\n%s", r.path, maps)
	}
	java := filepath.Join(dir, "Prog.java")
	if err := os.WriteFile(java, []byte(javaProg), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ needs, script string }{
		{"java", "java " + java},
		{"gcc", `echo '#include <stdio.h>
			int main(void) { printf("hello %s\\n", __FILE__); return 3; }' > a.c; gcc -O2 -o a a.c && ./a; echo $?; sha256sum < a`},
		{"git", `export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
			git init -q r && cd r && git config user.email a@b && git config user.name a && cp -r /usr/include/linux . &&
			git add -A && git commit -qm x && git log --format=%T && git status --short && git gc -q && git fsck`},
		{"tar", `tar cf - -C /usr/include linux | tar xf - && find . | sort | sha256sum; ls -lR linux | sed 's/[A-Z].*:..//' | wc -l`},
		{"perl", `perl -e '$SIG{ALRM} = sub { print "alarm\n" }; alarm 1; sleep 5; for (1..50) { fork or exit $_ } ; 1 while wait > 0; print "done\n"'`},
		{"python3", "python3 -c '" + strings.ReplaceAll(python, "'", `"`) + "'"},
		{"redis-server", `redis-server --port 0 --unixsocket $PWD/s --daemonize no --save '' > log & p=$!
			while ! redis-cli -s s ping; do sleep 0.1; done 2>/dev/null | tail -1
			redis-benchmark -s s -n 5000 -c 20 -q > log2; redis-cli -s s dbsize; redis-cli -s s shutdown nosave; wait $p; echo $?`},
	} {
		t.Run(c.needs, func(t *testing.T) {
			if _, err := exec.LookPath(c.needs); err != nil {
				t.Skip(err)
			}
			sh := func(env string) []string {
				return []string{"/bin/sh", "-c", "cd " + t.TempDir() + " && export " + env + "\n" + c.script}
			}
			same(t, "", sh("A=b"), sh("LD_LIBRARY_PATH="+dir))
		})
	}
}

const javaProg = `
import java.util.concurrent.*;
import java.nio.file.*;
class Prog {
	public static void main(String[] a) throws Exception {
		var pool = Executors.newFixedThreadPool(8);
		var sum = new java.util.concurrent.atomic.AtomicLong();
		for (int i = 0; i < 100; i++) {
			int n = i;
			pool.submit(() -> { Thread.sleep(1); sum.addAndGet(n); return 0; });
		}
		pool.shutdown();
		pool.awaitTermination(20, TimeUnit.SECONDS);
		var f = Files.createTempFile("x", "y");
		Files.writeString(f, "hello");
		System.gc();
		var p = new ProcessBuilder("/bin/echo", "child").start();
		System.out.println(sum + " " + Files.readString(f) + " " + new String(p.getInputStream().readAllBytes()));
		Files.delete(f);
		System.exit(p.waitFor() + 4);
	}
}
`

const nodeJS = `
const http = require('http'), fs = require('fs'), cp = require('child_process');
const s = http.createServer((q, r) => r.end(q.url)).listen(0, async () => {
  for (let i = 0; i < 20; i++)
    await new Promise(d => http.get({port: s.address().port, path: '/' + i}, r => r.on('data', b => console.log('' + b)).on('end', d)));
  console.log(cp.execSync('echo child').toString(), fs.readdirSync('/etc').length);
  s.close();
})`

const python = `
import threading, subprocess, socket, os, signal, hashlib, tempfile
r = []
a, b = socket.socketpair()
def f(i):
    for _ in range(50):
        r.append(i)
        os.getppid(); os.stat('/')
t = [threading.Thread(target=f, args=(i,)) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]
print(sum(r), subprocess.run(['/bin/echo', 'x'], stdout=subprocess.PIPE).stdout)
a.sendall(b'hello'); print(b.recv(5))
signal.signal(signal.SIGALRM, lambda *_: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
with tempfile.TemporaryFile() as f: f.write(b'x' * 100000); f.seek(0); print(hashlib.sha256(f.read()).hexdigest())
p = os.fork()
if p == 0: os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))
`
