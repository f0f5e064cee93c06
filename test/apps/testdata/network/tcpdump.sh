# needs: tcpdump ping python3
# time: 90
N=''
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
(timeout 20 tcpdump -n -t -i lo -c 4 icmp 2>/dev/null > out.v3) &
(timeout 20 tcpdump -n -t --immediate-mode -l -i lo -c 4 icmp 2>/dev/null > out.v2) &
(timeout 20 tcpdump -n -t -i any -c 4 udp port 9999 2>/dev/null > out.any) &
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.5; [ $(grep -c . /proc/net/packet) -ge 4 ] && break; done
ping -n -c2 -i0.3 127.0.0.1 > /dev/null
python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(("127.0.0.1", 9999))
for i in range(4): s.sendto(b"x" * (i + 1), ("127.0.0.1", 9999))'
wait
sed -E 's/id [0-9]+/id I/' out.v3; echo; sed -E 's/id [0-9]+/id I/' out.v2; echo; wc -l < out.any
