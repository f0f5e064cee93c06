# needs: ip ping nc unshare
# Network namespaces of programs: named ones, pairs of interfaces across them, routers between them, what becomes of their ends.
before=$(readlink /proc/self/ns/net)
unshare -n sh -c "[ \$(readlink /proc/self/ns/net) != '$before' ]" && echo another
unshare -n sh -c 'ip -br addr; ip link set lo up; ip -br addr; ping -c1 -q 127.0.0.1 | grep -o "[0-9]* received"'
unshare -n ping -c1 127.0.0.1 2>&1 | head -2

for n in a b c; do ip netns add $n; done
ip netns | sort
ip link add ab netns a type veth peer name ba netns b
ip link add bc type veth peer name cb netns c
ip link set bc netns b
ip link show bc 2>&1
ip -n a -o link | sed 's/ether [^ ]*/ether X/; s/@/ @ /'
ip -n a addr add 10.0.1.1/24 dev ab
ip -n b addr add 10.0.1.2/24 dev ba
ip -n b addr add 10.0.2.1/24 dev bc
ip -n c addr add 10.0.2.2/24 dev cb
ip -n a link set ab up
ip -n a -br link show ab | awk '{print $1, $2}'
ip -n b link set ba up
ip -n a -br link show ab | awk '{print $1, $2}'
ip -n b link set bc up
ip -n c link set cb up name eth0
ip -n c -br addr show eth0 | awk '{print $2, $3}'
ip netns exec b sysctl -q net.ipv4.ip_forward=0
ip -n a route add default via 10.0.1.2
ip -n c route add default via 10.0.2.1
ip netns exec a ping -c1 -W1 -q 10.0.2.2 | grep -o '.* received'
ip netns exec b sysctl -q net.ipv4.ip_forward=1
ip netns exec a ping -c2 -i 0.2 -q 10.0.2.2 | grep -o '.* received'
ip netns exec c cat /proc/net/route | awk '{print $1, $2, $3, $8}'
ip netns exec c ls /sys/class/net

ip netns exec c timeout 5 nc -l -p 7000 </dev/null >got &
ip netns exec c timeout 5 nc -l -u -p 7001 -W1 </dev/null >gotu &
sleep 0.5
echo stream | ip netns exec a nc -q1 10.0.2.2 7000
echo datagram | ip netns exec a nc -u -q1 10.0.2.2 7001
wait
cat got gotu

# A port and an abstract name of one namespace are free in another.
ip netns exec a nc -l -p 7100 & one=$!
ip netns exec b nc -l -p 7100 & two=$!
sleep 0.3
ip netns exec a cat /proc/net/tcp | awk 'NR > 1 && $4 == "0A" {print $2, $4}'
kill $one $two; wait 2>/dev/null

# Errors.
ip link set lo netns a 2>&1
ip -n a link add ab type veth 2>&1
ip link set nosuch netns a 2>&1
ip link add x type veth; ip -n a link add x type veth; ip link set x netns a 2>&1
ip link set x netns $$ 2>&1 && echo same
ip link set x netns 999999 2>&1
ip netns exec nosuch true 2>&1
unshare -U -n sh -c 'ip link add y type veth' 2>&1
unshare -Ur -n sh -c 'ip link add y type veth && ip -br link' 2>&1 | sed 's/@/ @ /' | awk '{print $1, $3, $4}'

# With a namespace its ends go.
ip netns del b
for i in 1 2 3 4 5 6 7 8 9 10; do ip -n a link show ab >/dev/null 2>&1 || break; sleep 0.2; done
ip -n a -br link | awk '{print $1, $2}'
ip netns del a; ip netns del c
ip netns | sort
