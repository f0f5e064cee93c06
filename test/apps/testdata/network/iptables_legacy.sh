# needs: iptables-legacy curl python3 ping setpriv
# time: 90
N='s/[0-9]+ packets, [0-9]+ bytes/N packets/; s/^ *[0-9]+K? +[0-9]+K? +(ACCEPT|DROP|REJECT)/P B \1/; s/^([0-9]+) +[0-9]+K? +[0-9]+K? /\1 P B /'
t() { echo "\$ $*"; timeout 10 "$@" 2>&1 | sed -E "$N"; echo "= ${PIPESTATUS[0]}"; }
python3 -m http.server 8000 >/dev/null 2>&1 &
python3 -m http.server 8001 >/dev/null 2>&1 &
sleep 2
C="curl -s -o /dev/null -m 2 -w %{http_code}\n"
IPT=iptables-legacy
t $IPT -L -n
t $IPT -A INPUT -p tcp --dport 8000 -j DROP
t $IPT -A INPUT -p tcp --dport 8001 -m comment --comment hello -j ACCEPT
t $C http://127.0.0.1:8000/
t $C http://127.0.0.1:8001/
t $IPT -L INPUT -n -v --line-numbers
t $IPT -S
t $IPT -D INPUT 1
t $C http://127.0.0.1:8000/
t $IPT -I INPUT -p tcp --dport 8000 -j REJECT --reject-with tcp-reset
t $C http://127.0.0.1:8000/
t $IPT -F
t $IPT -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
t $IPT -A INPUT -p tcp --dport 8001 --syn -m conntrack --ctstate NEW -j ACCEPT
t $IPT -P INPUT DROP
t $C http://127.0.0.1:8001/
t $C http://127.0.0.1:8000/
t ping -c1 -W1 -n 127.0.0.1 | grep -o '[0-9] received'
t $IPT -P INPUT ACCEPT
t $IPT -F
t $IPT -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 8000
t $C http://127.0.0.1:80/
t $IPT -t nat -A OUTPUT -p tcp -d 10.9.8.7 --dport 81 -j DNAT --to-destination 127.0.0.1:8001
t $C http://10.9.8.7:81/
t $IPT -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
t $IPT -t nat -A PREROUTING -p udp -m multiport --dports 53,5353 -j REDIRECT --to-ports 9
t $IPT -t nat -S
t $IPT -N FOO
t $IPT -A FOO -p icmp --icmp-type echo-request -j REJECT --reject-with icmp-host-prohibited
t $IPT -A INPUT -i lo -s 127.0.0.0/8 ! -d 10.0.0.1 -j FOO
t ping -c1 -W1 -n 127.0.0.1 | grep -o '[0-9] received'
t $IPT -X FOO
t $IPT -A INPUT -m nosuch -j DROP
t $IPT -A OUTPUT -m owner --uid-owner 1000 -p tcp --dport 8001 -j REJECT
t setpriv --reuid=1000 --clear-groups $C http://127.0.0.1:8001/
t $C http://127.0.0.1:8001/
t $IPT -S
kill %1 %2
