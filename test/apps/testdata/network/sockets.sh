# needs: ss netstat python3
# time: 90
N='s/pid=[0-9]*/pid=P/g; s/[0-9]+\/python3 */P/; s/cordon-test [0-9]+/cordon-test I/; s/ +/ /g; s/fd=[0-9]+/fd=F/g'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
python3 - <<'P' &
import socket, time
a = socket.socket(); a.setsockopt(1, 2, 1); a.bind(('127.0.0.1', 8080)); a.listen(5)
b = socket.socket(socket.AF_INET6); b.bind(('::', 8081)); b.listen(7)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 5353))
y = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); y.bind('\0cordon-test')
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
time.sleep(20)
P
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; grep -q ' 0003 ' /proc/net/packet && break; done
t ss -tulpn
t ss -wanp
t ss -0anp
t ss -tln sport = :8081
t ss -xap src @cordon-test
t netstat -tulpn
kill %1
