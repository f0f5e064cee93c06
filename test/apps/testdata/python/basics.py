# Threads, files, sqlite, memory.
import ctypes, hashlib, json, mmap, os, queue, random, select, signal, sqlite3, tempfile, threading, time

def threads():
    total, lock, q = 0, threading.Lock(), queue.Queue()
    def work():
        nonlocal total
        while (n := q.get()) is not None:
            with lock:
                total += n
    ts = [threading.Thread(target=work) for _ in range(8)]
    for t in ts: t.start()
    for n in range(20000): q.put(n)
    for _ in ts: q.put(None)
    for t in ts: t.join()
    print("threads", total)
    e, c = threading.Event(), threading.Condition()
    threading.Timer(0.05, e.set).start()
    print("event", e.wait(10))
    with c:
        print("condition", c.wait(0.01))

def database():
    db = sqlite3.connect("test.db")
    print("journal", db.execute("pragma journal_mode=wal").fetchone())
    db.execute("create table t(a integer primary key, b text)")
    with db:
        db.executemany("insert into t values(?, ?)", ((n, str(n) * 3) for n in range(5000)))
    other = sqlite3.connect("test.db")
    print("rows", other.execute("select count(*), sum(length(b)) from t").fetchone())
    db.execute("begin exclusive")
    try:
        other.execute("pragma busy_timeout=50")
        other.execute("begin immediate")
    except sqlite3.OperationalError as e:
        print("second writer:", e)
    db.rollback(); db.execute("vacuum"); db.close(); other.close()
    print("check", sqlite3.connect("test.db").execute("pragma integrity_check").fetchone())

def memory():
    m = mmap.mmap(-1, 1 << 20); m[:5] = b"hello"; print("mmap", m[:5])
    with open("mapped", "wb+") as f:
        f.truncate(10000)
        s = mmap.mmap(f.fileno(), 0); s[9000:9004] = b"data"; s.flush()
        f.seek(9000); print("shared", f.read(4)); s.resize(20000); print("resized", os.fstat(f.fileno()).st_size)
    big = bytearray(64 << 20); big[::4096] = b"x" * len(big[::4096]); print("big", big.count(b"x"))
    print("libc", ctypes.CDLL(None).abs(-4))

def signals():
    got = []
    signal.signal(signal.SIGALRM, lambda *a: got.append("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    while not got: signal.pause()
    print(got)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    print("pending", signal.sigpending() == {signal.SIGUSR1}, signal.sigtimedwait([signal.SIGUSR1], 1).si_signo == signal.SIGUSR1)

def files():
    with tempfile.TemporaryDirectory() as d:
        p = os.path.join(d, "f")
        open(p, "w").write("x" * 100000)
        with os.scandir(d) as it: print("scandir", [(e.name, e.is_file(), e.stat().st_size) for e in it])
        os.rename(p, p + "2"); os.symlink("f2", p); print("symlink", os.readlink(p), len(open(p).read()))
        os.setxattr(p, "user.k", b"v") if hasattr(os, "setxattr") else None
        fd = os.open(d, os.O_RDONLY); print("at", os.stat("f2", dir_fd=fd).st_size, os.listdir(fd) == os.listdir(d)); os.close(fd)
    r, w = os.pipe(); print("select", select.select([r], [], [], 0)); os.write(w, b"1"); print(select.select([r], [w], [], 0) == ([r], [w], []))
    p = select.poll(); p.register(r, select.POLLIN); print("poll", p.poll(0) == [(r, select.POLLIN)])
    print("urandom", len(os.urandom(64)), "sha", hashlib.sha256(b"abc").hexdigest()[:8])

threads(); database(); memory(); signals(); files()
t = time.monotonic(); time.sleep(0.02); print("sleep", 0.02 <= time.monotonic() - t)
