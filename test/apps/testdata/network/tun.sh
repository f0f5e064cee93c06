# needs: ip python3 /dev/net/tun
# time: 60
# A tun and a tap interface, each with this program as its other side.
python3 - <<"END"
import fcntl, os, select, socket, struct, subprocess
TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNGETIFF, TUNGETFEATURES = 0x400454ca, 0x400454cb, 0x400454cc, 0x800454d2, 0x800454cf
IFF_TUN, IFF_TAP, NO_PI, VNET = 1, 2, 0x1000, 0x4000
def attempt(what, f):
    try: print(what, f())
    except OSError as e: print(what, e.strerror)
def opened(flags=os.O_RDWR): return os.open("/dev/net/tun", flags)
def setiff(fd, name, flags): return fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name, flags))[:16].rstrip(b"\0")
def run(c):
    p = subprocess.run(c, shell=True, capture_output=True, text=True); return (p.stdout + p.stderr).strip()
def csum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
def ipv4(src, dst, proto, body):
    h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return h[:10] + struct.pack("!H", csum(h)) + h[12:] + body
def echo(kind, data): 
    b = struct.pack("!BBHHH", kind, 0, 0, 7, 1) + data
    return b[:2] + struct.pack("!H", csum(b)) + b[4:]

fd = opened(os.O_RDWR | os.O_NONBLOCK)
attempt("read before", lambda: os.read(fd, 100))
attempt("write before", lambda: os.write(fd, b"x" * 40))
p = select.poll(); p.register(fd, select.POLLIN | select.POLLOUT)
print("poll before", [e for _, e in p.poll(0)])
attempt("no kind", lambda: setiff(fd, b"t0", 0))
attempt("bad name", lambda: setiff(fd, b"a/b", IFF_TUN))
print("made", setiff(fd, b"", IFF_TUN | NO_PI))
attempt("twice", lambda: setiff(fd, b"", IFF_TUN | NO_PI))
n, f = struct.unpack("16sH22x", fcntl.ioctl(fd, TUNGETIFF, b"\0" * 40)); print("get", n.rstrip(b"\0"), hex(f))
fd2 = opened()
attempt("busy", lambda: setiff(fd2, b"tun0", IFF_TUN | NO_PI))
attempt("other kind", lambda: setiff(fd2, b"tun0", IFF_TAP | NO_PI))
attempt("not one", lambda: setiff(fd2, b"lo", IFF_TUN | NO_PI))
attempt("exclusive", lambda: setiff(fd2, b"tun0", IFF_TUN | 0x8000))
print("poll down", [e for _, e in p.poll(0)])
attempt("write down", lambda: os.write(fd, ipv4("10.8.0.2", "10.8.0.1", 1, echo(8, b"abcd"))))
print(run("ip link show tun0 | sed 's/^[0-9]*: //'"))
print(run("ip addr add 10.8.0.1 peer 10.8.0.2 dev tun0; ip link set tun0 up; ip -4 addr show tun0 | sed 's/^[0-9]*: //'; ip -4 route; ip -4 route get 10.8.0.2 | sed 's/ uid.*//'"))
def packet(t=2.0, fd=fd, skip=0):
    while select.select([fd], [], [], t)[0]:
        b = os.read(fd, 65600)
        if b[skip] >> 4 == 4: return b
print("poll up", [e & 4 for _, e in p.poll(0)])
print("write", os.write(fd, ipv4("10.8.0.2", "10.8.0.1", 1, echo(8, b"abcd"))))
r = packet(); print("echo reply", r[9], socket.inet_ntoa(r[12:16]), socket.inet_ntoa(r[16:20]), r[20], r[28:])
attempt("short", lambda: os.write(fd, b""))
attempt("no version", lambda: os.write(fd, b"\x15" * 30))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.8.0.1", 5000))
u.sendto(b"to the program", ("10.8.0.2", 6000))
r = packet(); print("datagram", r[9], r[28:], struct.unpack("!HH", r[20:24]))
os.write(fd, ipv4("10.8.0.2", "10.8.0.1", 17, struct.pack("!HHHH", 6000, 5000, 8 + 4, 0) + b"back"))
print("answer", u.recvfrom(100))
u.sendto(b"y" * 1000, ("10.8.0.2", 6000)); select.select([fd], [], [], 2); print("cut", len(os.read(fd, 100)))
# tap, persistent, with the information header
t = opened(os.O_RDWR | os.O_NONBLOCK)
print("tap", setiff(t, b"tap%d", IFF_TAP))
fcntl.ioctl(t, TUNSETPERSIST, 1); fcntl.ioctl(t, TUNSETOWNER, 1000)
print(run("ip link set tap0 address 02:00:00:00:00:01; ip addr add 10.9.0.1/24 dev tap0; sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1; ip link set tap0 up"))
u.close(); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b"who", ("10.9.0.2", 9))
def frame(proto):
    while select.select([t], [], [], 2)[0]:
        b = os.read(t, 2000)
        if struct.unpack("!H", b[2:4])[0] == proto: return b
a = frame(0x806); print("arp", a[:4].hex(), a[4:10].hex(), a[10:].hex())
mac = bytes.fromhex("02000000000a")
os.write(t, b"\0\0\x08\x06" + a[10:16] + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac + socket.inet_aton("10.9.0.2") + a[10:16] + socket.inet_aton("10.9.0.1"))
a = frame(0x800); print("frame", a[:18].hex(), a[18 + 28:])
print(run("ip neigh show 10.9.0.2 dev tap0"))
os.close(t)
print(run("ip link show tap0 | sed 's/^[0-9]*: //'; ip -d link show tap0 | grep -o 'tun type.*persist on.*user [0-9]*'"))
t = opened(); print("again", setiff(t, b"tap0", IFF_TAP | NO_PI)); fcntl.ioctl(t, TUNSETPERSIST, 0); os.close(t)
print(run("ip link show tap0"))
print(run("ip link del tun0"))
attempt("gone", lambda: os.read(fd, 100))
print("once more", setiff(fd, b"tun7", IFF_TUN))
os.close(fd)
print(run("ip link show tun7"))
END
