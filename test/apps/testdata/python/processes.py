# subprocess, multiprocessing, fork.
import concurrent.futures, multiprocessing as mp, os, signal, subprocess, sys
from multiprocessing import shared_memory

def square(n): return n * n

def child(conn, q, lock, value):
    with lock: value.value += 1
    conn.send({"pid": os.getpid() != os.getppid()}); q.put("from child")

def main():
    print(subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout)
    print(subprocess.check_output("cat | wc -c", shell=True, input=b"x" * 200000))
    p = subprocess.Popen(["sleep", "100"]); p.terminate(); print("terminated", p.wait())
    try: subprocess.run(["sleep", "100"], timeout=0.1)
    except subprocess.TimeoutExpired: print("timeout")
    try: subprocess.run(["/nonexistent"])
    except FileNotFoundError as e: print(e)
    print(subprocess.run([sys.executable, "-c", "import os; print(os.getcwd()); os.kill(os.getpid(), 9)"], cwd="/", capture_output=True))
    ps = [subprocess.Popen(["sh", "-c", f"exit {n}"], start_new_session=True) for n in range(8)]
    print([p.wait() for p in ps])
    for method in ("fork", "spawn", "forkserver"):
        ctx = mp.get_context(method)
        a, b = ctx.Pipe(); q = ctx.Queue(); lock = ctx.Lock(); v = ctx.Value("i", 0)
        ps = [ctx.Process(target=child, args=(b, q, lock, v)) for _ in range(3)]
        for p in ps: p.start()
        print(method, [a.recv() for _ in ps], [q.get() for _ in ps])
        for p in ps: p.join()
        print([p.exitcode for p in ps], v.value)
    with mp.Pool(4) as pool: print(sum(pool.map(square, range(2000), chunksize=50)))
    with concurrent.futures.ProcessPoolExecutor(3) as ex: print(list(ex.map(square, range(5))))
    s = shared_memory.SharedMemory(create=True, size=10000); s.buf[9999] = 7
    t = shared_memory.SharedMemory(s.name); print("shm", t.buf[9999]); t.close(); s.close(); s.unlink()
    sys.stdout.flush()
    if (pid := os.fork()) == 0: os._exit(42)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    r, w = os.pipe()
    if (pid := os.fork()) == 0: os.execvp("sh", ["sh", "-c", f"echo through >&{w}"]) if not os.set_inheritable(w, True) else None
    os.close(w); os.waitpid(pid, 0); print(os.read(r, 100))
    fd = os.pidfd_open(p := os.posix_spawn("/bin/sleep", ["sleep", "50"], os.environ)); signal.pidfd_send_signal(fd, signal.SIGTERM)
    print(os.waitid(os.P_PIDFD, fd, os.WEXITED).si_status)
    print(signal.pidfd_send_signal(os.open(f"/proc/{os.getpid()}", os.O_DIRECTORY), 0))
    m = mp.Manager(); d = m.dict(); d["k"] = [1, 2]; print(d.copy()); m.shutdown()

if __name__ == "__main__": main()
