# needs: ip bridge brctl ping nc unshare mount iptables
# Bridges: what is said of them and of their ports, what they learn and are told, who hears whom, rules and routers beside them.
if [ -z "$INNER" ]; then # /sys has to show this namespace
	INNER=1 exec unshare -m bash -c 'mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mkdir /run/netns; . "$0"' "$0"
fi
exec 2>&1
try() { "$@"; echo "$?: $*"; }
ip link add br0 type bridge
ip link show br0 | grep -o '<.*qdisc [a-z]* state [A-Z]*'
ip link set br0 up
ip link show br0 | grep -o '<.*qdisc [a-z]* state [A-Z]*'
ip link add v0 address 02:00:00:00:00:10 type veth peer name w0 address 02:00:00:00:00:11
ip link add v1 address 02:00:00:00:00:05 mtu 1400 type veth peer name w1 address 02:00:00:00:00:06
for l in v0 w0 v1 w1; do ip link set $l up; done
try ip link set v0 master br0
ip link show br0
try ip link set v1 master br0
ip link show br0
ip link show master br0
ip -br link show type bridge
ip -d link show v0 | grep -o 'bridge_slave.*on port_id [^ ]* port_no [^ ]* designated_port [^ ]*'
ip -d link show br0 | grep -o 'bridge forward_delay.*designated_root [^ ]*'
bridge -d link
bridge fdb show | grep '^02:.* permanent'
for a in "01 dev v0 master" "02 dev v0 master static" "03 dev v0 master dynamic" "03 dev v0 master dynamic" "05 dev br0 self local" "06 dev w1 master" "07 dev lo master" "08 dev br0 self dynamic"; do
	try bridge fdb add 02:00:00:00:01:$a
done
try bridge fdb append 02:00:00:00:01:03 dev v0 master dynamic
try bridge fdb replace 02:00:00:00:01:03 dev v1 master static
bridge fdb show br br0 | grep '^02:00:00:00:01' | sort
bridge fdb show brport v1 | grep '^02:00:00:00:01' | sort
try bridge fdb del 02:00:00:00:01:02 dev v0 master
try bridge fdb del 02:00:00:00:01:02 dev v0 master
try bridge fdb get 02:00:00:00:01:01 br br0
try bridge fdb get 02:00:00:00:01:99 br br0
ip link add br1 type bridge ageing_time 500 priority 100
ip -d link show br1 | grep -o 'bridge forward_delay.*bridge_id [^ ]*'
for a in "lo master br0" "br1 master br0" "br0 master br0" "v0 master w0" "v0 master br0" "v0 master br1" "v0 nomaster" "v0 nomaster" "v0 master br0"; do
	try ip link set $a
done
for a in "addif br1 v0" "addif br1 lo" "addif br1 br0" "addif br1 nope" "addif w0 v0" "delif br1 v0" "delif br0 v1" "addif br0 v1" "addbr lo" "addbr br1" \
	"addbr br2" "delbr br2" "delbr br2" "delbr w0" "delbr br0" "setfd br0 3" "sethello br0 50" "setageing br0 10" "setpathcost br0 v0 7" "setportprio br0 v0 9" "stp br0 off" "hairpin br0 v0 on"; do
	try brctl $a
done
brctl show
brctl showmacs br0 | awk '$3 == "yes" { print $1, $2 }'
brctl showstp br0 | grep -v timer
for a in "vlan_filtering 1" "hello_time 50" "group_fwd_mask 1" "group_fwd_mask 8" "forward_delay 1000" "ageing_time 30000" "nf_call_arptables 0"; do try ip link set br0 type bridge $a; done
try bridge link set dev v0 isolated on
try bridge link set dev w0 isolated on
try ip link set v0 type bridge_slave hairpin off isolated off
bridge -d link show dev v0
cd /sys/class/net
ls br0/bridge br0/brif v0/brport
stat -c '%a %n' br0/bridge/* br0/brif/* v0/brport/*
grep . br0/bridge/* v0/brport/* 2>/dev/null | grep -v 'timer\|: Is a'
readlink br0/brif/v0 v0/master v0/brport/bridge br0/lower_v0 v0/upper_br0
cat br0/uevent br0/operstate br0/carrier v0/flags
for a in forward_delay:200 forward_delay:x stp_state:0 flush:1; do try sh -c "echo ${a#*:} > br0/bridge/${a%:*}" 2>/dev/null; done
for a in learning:0 priority:99 path_cost:0 isolated:0; do try sh -c "echo ${a#*:} > v0/brport/${a%:*}" 2>/dev/null; done
cat br0/bridge/forward_delay v0/brport/learning
cd /
ip link set br0 mtu 1300; ip link set v1 mtu 1200; ip link show br0 | grep -o 'mtu [0-9]*'
ip link set br0 address 02:00:00:00:00:99; ip link set v0 nomaster; ip link show br0 | grep ether
ip link del v1
ip link show br0 | grep -o '<.*mtu\|state [A-Z]*'
ip link del br0; ip link del br1; ip link del v0

# Stations in namespaces of their own, a router beside them.
ip link add br0 type bridge
ip addr add 10.1.0.1/24 dev br0
ip link set br0 up
i=2
for n in a b c; do
	ip netns add $n
	ip link add v$n type veth peer name eth0 netns $n
	ip link set v$n master br0 up
	ip -n $n addr add 10.1.0.$i/24 dev eth0
	ip -n $n link set eth0 up
	ip -n $n link set lo up
	ip -n $n route add default via 10.1.0.1
	i=$((i+1))
done
hears() { ip netns exec $1 ping -c1 -W1 $2 | grep -o '.* received' | sed "s/^/$1 $2: /"; }
ping -c1 -W2 10.1.0.2 | grep -o '.* received'
hears a 10.1.0.3; hears b 10.1.0.1; hears c 10.1.0.2
mac() { ip -n $1 -o link show eth0 | grep -o 'ether [^ ]*' | cut -d' ' -f2; }
for n in a b c; do bridge fdb show | grep "^$(mac $n)" | sed "s/[^ ]*/$n/"; done
ip netns exec c sh -c 'timeout 5 nc -l -p 7000 </dev/null >/run/got' &
sleep 0.5
head -c 200000 /dev/zero | tr '\0' x | ip netns exec a nc -q1 10.1.0.4 7000
wait; wc -c </run/got
bridge link set dev va isolated on; bridge link set dev vb isolated on
hears b 10.1.0.2; hears b 10.1.0.4; hears b 10.1.0.1
ip link set vb nomaster; hears b 10.1.0.1
ip link set vb master br0; hears b 10.1.0.1; hears b 10.1.0.2
ip link set br0 down; hears b 10.1.0.4; ip link show br0 | grep -o '<.*state [A-Z]*'
ip link set br0 up; hears b 10.1.0.4
ip link set va netns c; bridge link | grep -o 'v[abc]@br0'; ip -n c -br link show va | cut -c1-9
ip netns add x; ip link add up0 type veth peer name eth0 netns x
ip addr add 192.168.7.1/24 dev up0; ip link set up0 up
ip -n x addr add 192.168.7.2/24 dev eth0; ip -n x link set eth0 up
sysctl -qw net.ipv4.ip_forward=1
hears b 192.168.7.2
iptables -t nat -A POSTROUTING -s 10.1.0.0/24 ! -o br0 -j MASQUERADE
iptables -t nat -N D
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j D
iptables -t nat -A D -i br0 -j RETURN
iptables -t nat -A D -p tcp --dport 8080 -j DNAT --to-destination 10.1.0.3:7000
iptables -P FORWARD DROP
hears b 192.168.7.2
iptables -A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -i br0 ! -o br0 -j ACCEPT
iptables -A FORWARD -d 10.1.0.3/32 ! -i br0 -o br0 -p tcp --dport 7000 -j ACCEPT
ip -n b neigh flush dev eth0 # the bridge's address follows its ports'
hears b 192.168.7.2
ip netns exec b sh -c 'timeout 5 nc -l -p 7000 </dev/null >/run/got' &
sleep 0.5
head -c 100000 /dev/zero | tr '\0' x | ip netns exec x nc -q1 192.168.7.1 8080
wait; wc -c </run/got
ip netns exec c nc -zw1 192.168.7.1 8080; echo refused: $?
ip link del br0; ip -br link | cut -d' ' -f1 | sort
for n in a b c x; do ip netns del $n; done
