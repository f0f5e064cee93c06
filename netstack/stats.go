package netstack

// Counters are the totals of one stack under the names of /proc/net/snmp and netstat. What the stack does not count is not
// here.
type Counters struct {
	IPReceives, IPDelivers, IPRequests, IPHeaderErrors, IPAddressErrors, IPOutErrors uint64
	IPForwarded, IPDiscards, IPReassemblyErrors                                      uint64

	TCPActiveOpens, TCPPassiveOpens, TCPAttemptFails, TCPEstabResets, TCPCurrEstab uint64
	TCPInSegs, TCPOutSegs, TCPRetransSegs, TCPInErrs, TCPOutRsts, TCPInCsumErrors  uint64
	TCPListenOverflows, TCPListenDrops, TCPTimeouts, TCPSackRecovery               uint64
	TCPFastRetrans, TCPSlowStartRetrans, TCPSyncookiesSent, TCPSyncookiesRecv      uint64
	TCPSyncookiesFailed, TCPLossProbes, TCPDSACKRecv                               uint64

	UDPInDatagrams, UDPNoPorts, UDPInErrors, UDPOutDatagrams, UDPRcvbufErrors, UDPSndbufErrors, UDPInCsumErrors uint64

	ICMP4, ICMP6 ICMPCounters
}

// ICMPCounters are the counters of one version of ICMP.
type ICMPCounters struct {
	InMsgs, InErrors, InDestUnreachs, InTimeExcds, InEchos, InEchoReps       uint64
	OutMsgs, OutErrors, OutDestUnreachs, OutTimeExcds, OutEchos, OutEchoReps uint64
}

// Counters reads all counters. They are read one by one: sums over them need not agree.
func (s *Stack) Counters() Counters {
	st := s.s.Stats()
	ip, t, u := st.IP, st.TCP, st.UDP
	c := Counters{
		IPReceives: ip.PacketsReceived.Value(), IPDelivers: ip.PacketsDelivered.Value(), IPRequests: ip.PacketsSent.Value(),
		IPHeaderErrors: ip.MalformedPacketsReceived.Value(), IPAddressErrors: ip.InvalidDestinationAddressesReceived.Value(),
		IPOutErrors: ip.OutgoingPacketErrors.Value(), IPDiscards: ip.DisabledPacketsReceived.Value(),
		IPReassemblyErrors: ip.MalformedFragmentsReceived.Value(),

		TCPActiveOpens: t.ActiveConnectionOpenings.Value(), TCPPassiveOpens: t.PassiveConnectionOpenings.Value(),
		TCPAttemptFails: t.FailedConnectionAttempts.Value(), TCPEstabResets: t.EstablishedResets.Value(),
		TCPCurrEstab: t.CurrentEstablished.Value(),
		TCPInSegs:    t.ValidSegmentsReceived.Value() + t.InvalidSegmentsReceived.Value(), TCPOutSegs: t.SegmentsSent.Value(),
		TCPRetransSegs: t.Retransmits.Value(), TCPInErrs: t.InvalidSegmentsReceived.Value(), TCPOutRsts: t.ResetsSent.Value(),
		TCPInCsumErrors:    t.ChecksumErrors.Value(),
		TCPListenOverflows: t.ListenOverflowAckDrop.Value(),
		TCPListenDrops:     t.ListenOverflowSynDrop.Value() + t.ListenOverflowAckDrop.Value(),
		TCPTimeouts:        t.Timeouts.Value(), TCPSackRecovery: t.SACKRecovery.Value(), TCPFastRetrans: t.FastRetransmit.Value(),
		TCPSlowStartRetrans: t.SlowStartRetransmits.Value(), TCPSyncookiesSent: t.ListenOverflowSynCookieSent.Value(),
		TCPSyncookiesRecv: t.ListenOverflowSynCookieRcvd.Value(), TCPSyncookiesFailed: t.ListenOverflowInvalidSynCookieRcvd.Value(),
		TCPLossProbes: t.TLPRecovery.Value(), TCPDSACKRecv: t.SegmentsAckedWithDSACK.Value(),

		UDPInDatagrams: u.PacketsReceived.Value(), UDPNoPorts: u.UnknownPortErrors.Value(),
		UDPInErrors:     u.MalformedPacketsReceived.Value() + u.ChecksumErrors.Value() + u.ReceiveBufferErrors.Value(),
		UDPOutDatagrams: u.PacketsSent.Value(), UDPRcvbufErrors: u.ReceiveBufferErrors.Value(),
		UDPSndbufErrors: u.PacketSendErrors.Value(), UDPInCsumErrors: u.ChecksumErrors.Value(),
	}
	s.icmpCounters(&c)
	n := s.pastStack().segments
	c.IPReceives, c.IPDelivers, c.IPRequests = c.IPReceives+n, c.IPDelivers+n, c.IPRequests+n
	c.TCPInSegs, c.TCPOutSegs = c.TCPInSegs+n, c.TCPOutSegs+n
	return c
}

func (s *Stack) icmpCounters(c *Counters) {
	r4, s4 := s.s.Stats().ICMP.V4.PacketsReceived, s.s.Stats().ICMP.V4.PacketsSent
	c.ICMP4 = ICMPCounters{
		InErrors: r4.Invalid.Value(), InDestUnreachs: r4.DstUnreachable.Value(), InTimeExcds: r4.TimeExceeded.Value(),
		InEchos: r4.EchoRequest.Value(), InEchoReps: r4.EchoReply.Value(),
		OutErrors: s4.Dropped.Value(), OutDestUnreachs: s4.DstUnreachable.Value(), OutTimeExcds: s4.TimeExceeded.Value(),
		OutEchos: s4.EchoRequest.Value(), OutEchoReps: s4.EchoReply.Value(),
	}
	r6, s6 := s.s.Stats().ICMP.V6.PacketsReceived, s.s.Stats().ICMP.V6.PacketsSent
	c.ICMP6 = ICMPCounters{
		InErrors: r6.Invalid.Value(), InDestUnreachs: r6.DstUnreachable.Value(), InTimeExcds: r6.TimeExceeded.Value(),
		InEchos: r6.EchoRequest.Value(), InEchoReps: r6.EchoReply.Value(),
		OutErrors: s6.Dropped.Value(), OutDestUnreachs: s6.DstUnreachable.Value(), OutTimeExcds: s6.TimeExceeded.Value(),
		OutEchos: s6.EchoRequest.Value(), OutEchoReps: s6.EchoReply.Value(),
	}
	for _, i := range []*ICMPCounters{&c.ICMP4, &c.ICMP6} {
		i.InMsgs = i.InErrors + i.InDestUnreachs + i.InTimeExcds + i.InEchos + i.InEchoReps
		i.OutMsgs = i.OutErrors + i.OutDestUnreachs + i.OutTimeExcds + i.OutEchos + i.OutEchoReps
	}
}
