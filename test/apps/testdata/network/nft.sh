# needs: nft curl python3 ping
# time: 90
N='s/packets [0-9]* bytes [0-9]*/packets P bytes B/; /^ *\^+ *$/d'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
python3 -m http.server 8000 >/dev/null 2>&1 &
sleep 1.5
C="curl -s -o /dev/null -m 2 -w %{http_code}\n"
t nft list ruleset
t nft add table inet f
t nft add chain inet f in '{ type filter hook input priority 0; policy accept; }'
t nft add rule inet f in tcp dport '{ 80, 8000, 9000-9100 }' counter drop
t $C http://127.0.0.1:8000/
t nft -a list ruleset
t nft flush ruleset
t $C http://127.0.0.1:8000/
cat > rules.nft <<'X'
table ip filter {
  set bad { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1 } }
  map ports { type inet_service : verdict; elements = { 8000 : accept, 22 : drop } }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    ip saddr @bad reject with icmp type host-unreachable
    iifname "lo" tcp dport vmap @ports
    meta l4proto icmp icmp type echo-request counter accept comment "ping"
  }
  chain output { type filter hook output priority 0; meta mark set 7 jump sub }
  chain sub { meta mark 7 counter return }
}
table ip nat {
  chain out { type nat hook output priority -100; tcp dport 80 redirect to :8000; ip daddr 10.1.1.1 dnat to 127.0.0.1 }
  chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade }
}
X
t nft -f rules.nft
t $C http://127.0.0.1:8000/
t $C http://127.0.0.1:80/
t $C http://10.1.1.1:8000/
t ping -c1 -W1 -n 127.0.0.1 | grep -o '[0-9] received'
t nft list ruleset
t nft add element ip filter bad '{ 127.0.0.1 }'
t nft delete element ip filter ports '{ 22 }'
t nft list set ip filter bad
t nft delete rule ip filter input handle 999
t nft add rule ip filter input limit rate 5/second accept
t nft add rule ip nosuch input accept
t nft delete chain ip filter sub
t nft list tables
t nft delete table ip nat
t nft list chains
kill %1
