#!/bin/sh
# Runs a shell and python3 in a sandbox and says what each step shows.
set -eu
runsc=$1

say() { printf '\n== %s\n' "$*"; }

say "a shell in a sandbox: what kernel it sees, who it is, and a file it writes to / of the host"
"$runsc" do sh -c 'uname -srm; id -u; echo written > /cordon-was-here && cat /cordon-was-here; ps 2>/dev/null || true'
if [ -e /cordon-was-here ]; then
	echo "run: the file reached the host" >&2
	exit 1
fi
echo "(the host has no /cordon-was-here: writes stay in the sandbox's memory)"

if command -v python3 >/dev/null 2>&1; then
	say "python3 in a sandbox: threads, a child process and a TCP connection on its own network stack"
	"$runsc" do python3 -c '
import platform, socket, subprocess, threading
print("python", platform.python_version(), "on", platform.release())
out = subprocess.run(["echo", "hello from a child"], capture_output=True, text=True).stdout
print(out.strip())
server = socket.create_server(("127.0.0.1", 0))
def serve():
    conn, _ = server.accept()
    conn.sendall(b"hello over TCP")
    conn.close()
thread = threading.Thread(target=serve)
thread.start()
client = socket.create_connection(server.getsockname())
print(client.recv(100).decode())
thread.join()
'
else
	say "python3 is not installed here: skipped"
fi

say "exit codes pass through: 'exit 7' inside gives"
code=0
"$runsc" do sh -c 'exit 7' || code=$?
echo "$code"
[ "$code" = 7 ]
say "done: $runsc works on this machine"
