# needs: ip ifconfig route arp
# time: 90
N='s/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g; s/ref [0-9]* used [^ ]* probes [0-9]*//; s/^[0-9]+: //'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
t ip link add va type veth peer name vb
t ip link set va address 02:00:00:00:00:0a
t ip link set vb up mtu 1400
t ip link set va up name wan
t ip addr add 10.7.0.1/24 brd + dev wan
t ip -4 addr show dev wan
t ip route show
t ip route add default via 10.7.0.254
t ip route add 172.16.0.0/12 via 10.7.0.254 metric 7 mtu 1300
t ip -4 route show
t ip route get 8.8.8.8
t ip neigh add 10.7.0.254 lladdr 02:00:00:00:00:99 dev wan nud permanent
t ip neigh show dev wan
t ip link add wan type dummy
t ip link set wan mtu 20
t ip -4 route show table local dev wan
t route -n
t arp -n
t ifconfig wan 10.8.0.1 netmask 255.255.0.0
t ip -4 addr show dev wan
t route add -net 10.99.0.0 netmask 255.255.0.0 gw 10.8.0.9
t route -n
t route del -net 10.99.0.0 netmask 255.255.0.0
t ip link set wan down
t ip -4 route show
t ip link del wan
t arping -c 1 -w 3 -I lo 127.0.0.1 | grep -c reply
sysctl -w net.ipv4.ip_local_port_range="40000 40010" net.core.somaxconn=77 net.ipv6.conf.lo.disable_ipv6=1 net.ipv4.ip_forward=1
sysctl net.ipv4.ip_local_port_range net.ipv4.ip_forward
ip -6 addr show dev lo
python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(40000 <= s.getsockname()[1] <= 40010)'
