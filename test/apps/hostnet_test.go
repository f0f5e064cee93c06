package apps

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// hostNetLimit bounds one sandbox of these tests.
const hostNetLimit = 2 * time.Minute

// python is a command in a sandbox on the host's network.
func (s *sandbox) python(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		t.Skip("needs python3")
	}
	ctx, cancel := context.WithTimeout(t.Context(), hostNetLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, s.runsc, append([]string{"--root", s.state, "do", "--network", "host", path, "-c", script}, args...)...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// listen is a server of the host on loopback that sends back in capitals what
// it gets.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := io.WriteString(c, strings.ToUpper(string(b[:n]))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

const hostNetClient = `
import os, select, socket, sys, threading
port = int(sys.argv[1])
c = socket.create_connection(('127.0.0.1', port), timeout=60)
c.sendall(b'hello')
print(c.recv(100), c.getpeername() == ('127.0.0.1', port))
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
print(port in [int(l.split()[2].split(':')[1], 16) for l in open('/proc/net/tcp').readlines()[1:]])
data = os.urandom(1 << 19).hex().encode()
t = threading.Thread(target=lambda: (c.sendall(data), c.shutdown(socket.SHUT_WR)))
t.start()
got = b''
while True:
    b = c.recv(1 << 16)
    if not b: break
    got += b
t.join()
print(got == data.upper())
dead = socket.socket()
dead.bind(('127.0.0.1', 0))
n = socket.socket()
n.setblocking(False)
print(n.connect_ex(dead.getsockname()))
p = select.poll()
p.register(n, select.POLLOUT)
print(len(p.poll(60000)), n.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print((1, 'lo') in socket.if_nameindex())
`

const hostNetClientOutput = `b'HELLO' True
1
True
True
115
1 111
True
`

func TestHostNetworkClient(t *testing.T) {
	s := newSandbox(t)
	out, err := s.python(t, hostNetClient, listen(t)).CombinedOutput()
	if err != nil || string(out) != hostNetClientOutput {
		t.Errorf("%v, printed\n%s\nnot\n%s", err, out, hostNetClientOutput)
	}
}

const hostNetServer = `
import socket
l = socket.create_server(('127.0.0.1', 0))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', 0))
print(l.getsockname()[1], u.getsockname()[1], flush=True)
for s in l, u: s.settimeout(60)
c, _ = l.accept()
while True:
    b = c.recv(100)
    if not b: break
    c.sendall(b[::-1])
c.close()
b, a = u.recvfrom(100)
u.sendto(b[::-1], a)
`

func TestHostNetworkServer(t *testing.T) {
	s := newSandbox(t)
	cmd := s.python(t, hostNetServer)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() // nothing is left to kill when all went well
	var tcp, udp int
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, err := fmt.Sscan(line, &tcp, &udp); err != nil {
		t.Fatalf("read %q: %v", line, err)
	}
	for _, to := range []struct {
		network string
		port    int
	}{{"tcp4", tcp}, {"udp4", udp}} {
		c, err := net.DialTimeout(to.network, fmt.Sprintf("127.0.0.1:%d", to.port), hostNetLimit)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(hostNetLimit))
		io.WriteString(c, "drawer")
		b := make([]byte, 6)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "reward" {
			t.Errorf("%s: got %q, %v", to.network, b, err)
		}
		c.Close()
	}
	if _, err := io.Copy(io.Discard, stdout); err != nil {
		t.Errorf("the server's output: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
}
