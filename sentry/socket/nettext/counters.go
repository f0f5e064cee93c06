package nettext

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// A counter is a name and its value.
type counter struct {
	name string
	n    int64
}

func u(name string, n uint64) counter { return counter{name, int64(n)} }

// twoLines writes counters as a line of names and a line of values.
func twoLines(b []byte, prefix string, cs []counter) []byte {
	b = append(b, prefix...)
	b = append(b, ':')
	for _, c := range cs {
		b = append(b, ' ')
		b = append(b, c.name...)
	}
	b = append(b, '\n')
	b = append(b, prefix...)
	b = append(b, ':')
	for _, c := range cs {
		b = fmt.Appendf(b, " %d", c.n)
	}
	return append(b, '\n')
}

func counters(ns *socket.Namespace) netstack.Counters {
	if ns.Stack == nil {
		return netstack.Counters{}
	}
	return ns.Stack.Counters()
}

// snmp has the lines and the columns that old readers count on; there the uncounted are 0.
func snmp(ns *socket.Namespace) []byte {
	c := counters(ns)
	b := twoLines(nil, "Ip", []counter{
		{"Forwarding", 2}, {"DefaultTTL", 64}, u("InReceives", c.IPReceives), u("InHdrErrors", c.IPHeaderErrors),
		u("InAddrErrors", c.IPAddressErrors), u("ForwDatagrams", c.IPForwarded), {"InUnknownProtos", 0}, u("InDiscards", c.IPDiscards),
		u("InDelivers", c.IPDelivers), u("OutRequests", c.IPRequests), u("OutDiscards", c.IPOutErrors), {"OutNoRoutes", 0},
		{"ReasmTimeout", 0}, {"ReasmReqds", 0}, {"ReasmOKs", 0}, u("ReasmFails", c.IPReassemblyErrors), {"FragOKs", 0}, {"FragFails", 0},
		{"FragCreates", 0},
	})
	i := c.ICMP4
	b = twoLines(b, "Icmp", []counter{
		u("InMsgs", i.InMsgs), u("InErrors", i.InErrors), {"InCsumErrors", 0}, u("InDestUnreachs", i.InDestUnreachs),
		u("InTimeExcds", i.InTimeExcds), {"InParmProbs", 0}, {"InSrcQuenchs", 0}, {"InRedirects", 0}, u("InEchos", i.InEchos),
		u("InEchoReps", i.InEchoReps), {"InTimestamps", 0}, {"InTimestampReps", 0}, {"InAddrMasks", 0}, {"InAddrMaskReps", 0},
		u("OutMsgs", i.OutMsgs), u("OutErrors", i.OutErrors), u("OutDestUnreachs", i.OutDestUnreachs), u("OutTimeExcds", i.OutTimeExcds),
		{"OutParmProbs", 0}, {"OutSrcQuenchs", 0}, {"OutRedirects", 0}, u("OutEchos", i.OutEchos), u("OutEchoReps", i.OutEchoReps),
		{"OutTimestamps", 0}, {"OutTimestampReps", 0}, {"OutAddrMasks", 0}, {"OutAddrMaskReps", 0},
	})
	b = twoLines(b, "Tcp", []counter{
		{"RtoAlgorithm", 1}, {"RtoMin", 200}, {"RtoMax", 120000}, {"MaxConn", -1}, u("ActiveOpens", c.TCPActiveOpens),
		u("PassiveOpens", c.TCPPassiveOpens), u("AttemptFails", c.TCPAttemptFails), u("EstabResets", c.TCPEstabResets),
		u("CurrEstab", c.TCPCurrEstab), u("InSegs", c.TCPInSegs), u("OutSegs", c.TCPOutSegs), u("RetransSegs", c.TCPRetransSegs),
		u("InErrs", c.TCPInErrs), u("OutRsts", c.TCPOutRsts), u("InCsumErrors", c.TCPInCsumErrors),
	})
	for _, p := range []string{"Udp", "UdpLite"} {
		if p == "UdpLite" {
			c = netstack.Counters{}
		}
		b = twoLines(b, p, []counter{
			u("InDatagrams", c.UDPInDatagrams), u("NoPorts", c.UDPNoPorts), u("InErrors", c.UDPInErrors), u("OutDatagrams", c.UDPOutDatagrams),
			u("RcvbufErrors", c.UDPRcvbufErrors), u("SndbufErrors", c.UDPSndbufErrors), u("InCsumErrors", c.UDPInCsumErrors),
			{"IgnoredMulti", 0}, {"MemErrors", 0},
		})
	}
	return b
}

// netstat has what is counted, under Linux's names.
func netstat(ns *socket.Namespace) []byte {
	c := counters(ns)
	b := twoLines(nil, "TcpExt", []counter{
		u("SyncookiesSent", c.TCPSyncookiesSent), u("SyncookiesRecv", c.TCPSyncookiesRecv), u("SyncookiesFailed", c.TCPSyncookiesFailed),
		u("ListenOverflows", c.TCPListenOverflows), u("ListenDrops", c.TCPListenDrops), u("TCPSackRecovery", c.TCPSackRecovery),
		u("TCPFastRetrans", c.TCPFastRetrans), u("TCPSlowStartRetrans", c.TCPSlowStartRetrans), u("TCPTimeouts", c.TCPTimeouts),
		u("TCPLossProbes", c.TCPLossProbes), u("TCPDSACKRecv", c.TCPDSACKRecv),
	})
	var in, out, inPackets uint64
	for _, i := range interfaces(ns) {
		in, out, inPackets = in+i.Counters.RxBytes, out+i.Counters.TxBytes, inPackets+i.Counters.RxPackets
	}
	return twoLines(b, "IpExt", []counter{u("InOctets", in), u("OutOctets", out), u("InNoECTPkts", inPackets)})
}

func snmp6(ns *socket.Namespace) []byte {
	i := counters(ns).ICMP6
	var b []byte
	for _, c := range []counter{
		u("Icmp6InMsgs", i.InMsgs), u("Icmp6InErrors", i.InErrors), u("Icmp6OutMsgs", i.OutMsgs), u("Icmp6OutErrors", i.OutErrors),
		u("Icmp6InDestUnreachs", i.InDestUnreachs), u("Icmp6InEchos", i.InEchos), u("Icmp6InEchoReplies", i.InEchoReps),
		u("Icmp6OutDestUnreachs", i.OutDestUnreachs), u("Icmp6OutEchos", i.OutEchos), u("Icmp6OutEchoReplies", i.OutEchoReps),
	} {
		b = fmt.Appendf(b, "%-32s\t%d\n", c.name, c.n)
	}
	return b
}

// usage counts the sockets of a family.
type usage struct{ tcp, tcpAlloc, orphan, timeWait, udp, raw, ping int }

func usageOf(ns *socket.Namespace, f netstack.Family) usage {
	var n usage
	for _, e := range allEndpoints(ns, f) {
		switch e.Kind {
		case netstack.TCP:
			switch {
			case e.State == netstack.StateTimeWait:
				n.timeWait++
			case e.orphan:
				n.orphan++
			default:
				n.tcp++
			}
		case netstack.UDP:
			n.udp++
		case netstack.Raw:
			n.raw++
		case netstack.Ping:
			n.ping++
		}
	}
	for _, s := range ns.Sockets(addressFamily(f)) {
		if s.Info().Type == linux.SOCK_STREAM {
			n.tcpAlloc++
		}
	}
	return n
}

func sockstat(ns *socket.Namespace) []byte {
	n := usageOf(ns, netstack.IPv4)
	used := 0
	for _, f := range []linux.AddressFamily{linux.AF_UNIX, linux.AF_INET, linux.AF_INET6, linux.AF_NETLINK} {
		used += len(ns.Sockets(f))
	}
	b := fmt.Appendf(nil, "sockets: used %d\n", used)
	b = fmt.Appendf(b, "TCP: inuse %d orphan %d tw %d alloc %d mem 0\n", n.tcp, n.orphan, n.timeWait, n.tcpAlloc)
	b = fmt.Appendf(b, "UDP: inuse %d mem 0\nUDPLITE: inuse 0\nRAW: inuse %d\nFRAG: inuse 0 memory 0\n", n.udp, n.raw)
	return b
}

func sockstat6(ns *socket.Namespace) []byte {
	n := usageOf(ns, netstack.IPv6)
	return fmt.Appendf(nil, "TCP6: inuse %d\nUDP6: inuse %d\nUDPLITE6: inuse 0\nRAW6: inuse %d\nFRAG6: inuse 0 memory 0\n", n.tcp, n.udp, n.raw)
}

// protocols lists what socket(2) can make; sizes and the abilities, one letter each, are Linux's.
func protocols(ns *socket.Namespace) []byte {
	b := []byte("protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n")
	count := func(f linux.AddressFamily, typ linux.SockType, proto linux.IPProto) int {
		n := 0
		for _, s := range ns.Sockets(f) {
			i := s.Info()
			if (typ == 0 || i.Type == typ) && (proto == 0 || linux.IPProto(i.Protocol) == proto) {
				n++
			}
		}
		return n
	}
	for _, p := range []struct {
		name    string
		size    int
		sockets int
		press   string
		maxHdr  int
		able    string
	}{
		{"PINGv6", 1344, count(linux.AF_INET6, linux.SOCK_DGRAM, linux.IPPROTO_ICMPV6), "NI", 0, "yyynnynnyyyyyynyyn"},
		{"RAWv6", 1344, count(linux.AF_INET6, linux.SOCK_RAW, 0), "NI", 0, "yyynyyynyyyyyyyynn"},
		{"UDPv6", 1472, count(linux.AF_INET6, linux.SOCK_DGRAM, linux.IPPROTO_UDP), "NI", 0, "yyynyyynyyyynnyyyn"},
		{"TCPv6", 2560, count(linux.AF_INET6, linux.SOCK_STREAM, 0), "no", 320, "yyyyyyyyyyyyynnyyy"},
		{"UNIX", 1088, count(linux.AF_UNIX, 0, 0), "NI", 0, "ynnnnnnnnnnnnnnnnn"},
		{"PING", 1152, count(linux.AF_INET, linux.SOCK_DGRAM, linux.IPPROTO_ICMP), "NI", 0, "yyynnynnyyyyyynyyn"},
		{"RAW", 1152, count(linux.AF_INET, linux.SOCK_RAW, 0), "NI", 0, "yyynyyynyyyyyyyynn"},
		{"UDP", 1344, count(linux.AF_INET, linux.SOCK_DGRAM, linux.IPPROTO_UDP), "NI", 0, "yyynyyynyyyynnyyyn"},
		{"TCP", 2432, count(linux.AF_INET, linux.SOCK_STREAM, 0), "no", 320, "yyyyyyyyyyyyynnyyy"},
		{"NETLINK", 1160, count(linux.AF_NETLINK, 0, 0), "NI", 0, "nnnnnnnnnnnnnnnnnn"},
	} {
		b = fmt.Appendf(b, "%-9s %4d %6d  %6d   %-3s %6d   %-3s  %-10s", p.name, p.size, p.sockets, -1, p.press, p.maxHdr, "yes", "kernel")
		for _, c := range p.able {
			b = fmt.Appendf(b, " %2c", c)
		}
		b = append(b, '\n')
	}
	return b
}
