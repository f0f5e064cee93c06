# needs: iptables-legacy curl python3 ping setpriv
# time: 90
IPT=iptables-legacy
. "${0%/*}/iptables.rules"
