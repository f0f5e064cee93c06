package procfs

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// NetTexts makes the files of /proc/net for one network namespace, a
// task.Namespaces.Net.
type NetTexts interface {
	// Names lists the files; each has a text. What is not among them and in
	// netHeads is shown as an empty table.
	Names() []string
	// Text returns what name holds in namespace ns.
	Text(ns any, name string) []byte
}

// netHeads are the files that every kernel with a network has, as they are
// where there is nothing to list.
var netHeads = map[string]string{
	"arp":      "IP address       HW type     Flags       HW address            Mask     Device\n",
	"dev":      "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
	"if_inet6": "",
	"icmp":     inetHead,
	"icmp6":    inet6Head,
	"igmp":     "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
	"igmp6":    "", "ipv6_route": "",
	"netlink":   "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode            \n",
	"packet":    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
	"psched":    "000003e8 00000040 000f4240 3b9aca00\n",
	"ptype":     "Type Device      Function\n",
	"raw":       inetHead,
	"raw6":      inet6Head,
	"route":     padded("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", 127),
	"snmp":      snmpZero,
	"snmp6":     "",
	"sockstat":  "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
	"sockstat6": "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
	"protocols": "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n",
	"tcp":       padded("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", 149),
	"tcp6":      "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
	"udp":       inetHead,
	"udp6":      inet6Head,
	"unix":      "Num       RefCount Protocol Flags    Type St Inode Path\n",
}

const (
	inet6Head = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	inetHead  = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n"
)

// snmpZero is /proc/net/snmp of a stack that has sent and received nothing.
const snmpZero = "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits\n" +
	"Ip: 2 64 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" +
	"Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n" +
	"Icmp: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" +
	"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n" +
	"Tcp: 1 200 120000 -1 0 0 0 0 0 0 0 0 0 0 0\n" +
	"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n" +
	"Udp: 0 0 0 0 0 0 0 0 0\n" +
	"UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n" +
	"UdpLite: 0 0 0 0 0 0 0 0 0\n"

// padded fills a line with blanks to n columns.
func padded(s string, n int) string {
	b := make([]byte, 0, n+1)
	b = append(b, s...)
	for len(b) < n {
		b = append(b, ' ')
	}
	return string(append(b, '\n'))
}

// newNetNames is /proc/pid/net: the process's network namespace.
func newNetNames(f *FileSystem, p *proc, ino uint64) names {
	return f.newTable(p, ino, f.netTable)
}

// netEntries is the table of /proc/pid/net.
func (sh *shared) netEntries() []entry {
	var all []string
	for n := range netHeads {
		all = append(all, n)
	}
	if sh.options.Net != nil {
		all = append(all, sh.options.Net.Names()...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	entries := make([]entry, 0, len(all))
	for _, n := range all {
		entries = append(entries, entry{name: n, mode: regular | 0o444, text: sh.netText(n)})
	}
	return entries
}

func (sh *shared) netText(name string) func(o *opening) ([]byte, error) {
	texts := sh.options.Net
	if texts == nil || !slices.Contains(texts.Names(), name) {
		return constant(netHeads[name])
	}
	return func(o *opening) ([]byte, error) {
		t, err := o.task()
		if err != nil {
			return nil, err
		}
		return texts.Text(t.Namespaces().Net, name), nil
	}
}

// The links in the root.

func (f *FileSystem) readSelf(c *vfs.Caller, _ *proc) (string, error) {
	if t := callerTask(c); t != nil {
		if id := f.shown(t.PID()); id != 0 {
			return itoa(id), nil
		}
	}
	return "", linux.ENOENT
}

func (f *FileSystem) readThreadSelf(c *vfs.Caller, _ *proc) (string, error) {
	if t := callerTask(c); t != nil {
		if id := f.shown(t.PID()); id != 0 {
			return itoa(id) + "/task/" + itoa(f.shown(t.TID())), nil
		}
	}
	return "", linux.ENOENT
}
