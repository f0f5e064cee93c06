# Sockets, selectors, asyncio, an HTTP server.
import array, asyncio, http.server, os, socket, socketserver, threading, urllib.request

def sockets():
    a, b = socket.socketpair(); a.sendall(b"x" * 300000 if False else b"pair"); print(b.recv(10))
    r, w = os.pipe(); socket.send_fds(a, [b"fd"], [w]); msg, fds, _, _ = socket.recv_fds(b, 10, 1)
    os.write(fds[0], b"passed"); print(msg, os.read(r, 10))
    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind("\0name"); a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b"abstract", "\0name"); print(u.recv(20))
    s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); d, _ = s.accept()
    got = []; t = threading.Thread(target=lambda: got.append(sum(len(x) for x in iter(lambda: d.recv(65536), b"")))); t.start()
    c.sendall(b"y" * 5000000); c.close(); t.join(); print("tcp", got)
    x, y = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM); x.bind(("127.0.0.1", 0))
    y.sendto(b"udp", x.getsockname()); print(x.recv(10))
    s6 = socket.create_server(("::1", 0), family=socket.AF_INET6); c6 = socket.create_connection(s6.getsockname()[:2]); print("v6", c6.getpeername()[0])
    try: socket.create_connection(("127.0.0.1", 1), timeout=5)
    except ConnectionRefusedError as e: print(e)
    c.close(); s.setblocking(False)
    try: s.accept()
    except BlockingIOError as e: print(e)
    print(socket.gethostbyname("localhost"), socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4])
    print("lo" in [n for _, n in socket.if_nameindex()])

async def serve(reader, writer):
    while line := await reader.readline(): writer.write(line.upper()); await writer.drain()
    writer.close()

async def aio():
    srv = await asyncio.start_server(serve, "127.0.0.1", 0); port = srv.sockets[0].getsockname()[1]
    async def client(n):
        r, w = await asyncio.open_connection("127.0.0.1", port); out = b""
        for k in range(20): w.write(f"c{n} {k}\n".encode()); out = await r.readline()
        w.close(); return out.decode().strip()
    print(await asyncio.gather(*(client(n) for n in range(10))))
    p = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate(b"z" * 100000); print(len(out), p.returncode)
    try: await asyncio.wait_for(asyncio.sleep(100), 0.05)
    except asyncio.TimeoutError: print("timed out")
    print(await asyncio.to_thread(lambda: "thread"), await asyncio.gather(*(asyncio.sleep(0.01 * n, n) for n in range(3))))
    srv.close()

def web():
    class H(http.server.BaseHTTPRequestHandler):
        def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode() * 1000)
        def log_message(self, *a): pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), H) as srv:
        threading.Thread(target=srv.serve_forever).start()
        print([len(urllib.request.urlopen(f"http://127.0.0.1:{srv.server_address[1]}/p{n}").read()) for n in range(10)]); srv.shutdown()

sockets(); asyncio.run(aio()); web()
