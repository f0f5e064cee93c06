# needs: ip
# time: 90
N='s/^$//'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
t ip link set lo up
t ip addr show
t ip -4 route show table all
t ip -6 route show table all
t ip addr add 10.1.0.1/24 dev lo
t ip addr add 10.1.0.1/24 dev lo
t ip addr add 10.1.0.2/24 dev lo
t ip addr add 10.2.0.1/24 brd + dev lo label lo:x
t ip addr add fd00::1/64 dev lo
t ip addr add fd00::1/64 dev lo
t ip addr show dev lo
t ip route show
t ip -4 route show table local
t ip route add 10.9.0.0/16 via 10.1.0.77 dev lo
t ip route add 10.9.0.0/16 via 10.1.0.77 dev lo
t ip route add 10.9.0.0/16 via 10.1.0.78 dev lo metric 50 proto static
t ip route add 10.10.0.0/16 via 192.168.77.1
t ip route add 10.11.0.0/16 dev lo scope link src 10.1.0.1
t ip route add 10.12.0.0/16 dev lo mtu 1400
t ip route replace 10.11.0.0/16 via 10.1.0.5
t ip route change 10.77.0.0/16 via 10.1.0.5
t ip route append 10.11.0.0/16 via 10.1.0.6
t ip route prepend 10.11.0.0/16 via 10.1.0.7
t ip route show
t ip -j route show 10.11.0.0/16
t ip route get 10.9.1.1
t ip route get 10.1.0.1
t ip route get 203.0.113.1
t ip route del 10.11.0.0/16 via 10.1.0.6
t ip route del 10.99.0.0/16
t ip route add 10.13.0.1/16 dev lo
t ip -6 route add fd02::/64 dev lo metric 7
t ip -6 route show
t ip addr del 10.1.0.1/24 dev lo
t ip addr del 10.1.0.9/24 dev lo
t ip -6 addr del fd00::9/64 dev lo
t ip addr show dev lo
t ip link set nosuch up
t ip link add x type nosuch
t ip link show dev lo
t ip rule show
t ip link set lo down
t ip route add 10.14.0.0/16 dev lo
t ip route show
t ip addr flush dev lo
t ip addr show dev lo
t ip -s link show lo
t ip -4 route add default via 10.2.0.5
