# needs: iptables curl python3 ping setpriv
# time: 90
IPT=iptables
. "${0%/*}/iptables.rules"
