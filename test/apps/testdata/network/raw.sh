# needs: ping traceroute tracepath python3 setpriv
# time: 90
N='s/time=[0-9.]* ms/time=T/; s/[0-9.]* ms/T ms/g; s/[0-9.]*\/[0-9.]*\/[0-9.]*\/[0-9.]*/R/; s/time [0-9]*ms/time Tms/; s/[0-9.]+ms/Tms/g'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range
t ping -n -c2 -i0.2 127.0.0.1
t ping -n -6 -c2 -i0.2 ::1
t ping -n -c1 -t 5 -s 3000 -Q 16 127.0.0.1
t traceroute -n 127.0.0.1
t traceroute -n -6 ::1
t traceroute -I -n 127.0.0.1
t traceroute -T -n -p 9 127.0.0.1
t traceroute -U -n -p 53 127.0.0.1
t tracepath -n 127.0.0.1
t setpriv --reuid=1000 --clear-groups --bounding-set=-all ping -n -c1 127.0.0.1
t python3 -c 'import socket
socket.socket(socket.AF_INET,socket.SOCK_RAW,1)'
t setpriv --reuid=1000 --clear-groups python3 -c 'import socket
try: socket.socket(socket.AF_INET,socket.SOCK_RAW,1)
except OSError as e: print(e)
try: socket.socket(socket.AF_PACKET,socket.SOCK_RAW,1)
except OSError as e: print(e)'

