package netstack

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// whole is a frame as the host hands it over, of TCP or UDP, over IPv4 or IPv6, with n bytes 0, 1, 2 and so on.
func whole(six, datagram bool, n int) (h vnetHeader, frame []byte) {
	proto, size, at := header.TCPProtocolNumber, header.TCPMinimumSize, header.TCPChecksumOffset
	if datagram {
		proto, size, at = header.UDPProtocolNumber, header.UDPMinimumSize, udpChecksum
	}
	start := header.EthernetMinimumSize + header.IPv4MinimumSize
	if six {
		start = header.EthernetMinimumSize + header.IPv6MinimumSize
	}
	frame = make([]byte, start+size+n)
	copy(frame, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0})
	packet := frame[header.EthernetMinimumSize:]
	if six {
		frame[12], frame[13] = 0x86, 0xdd
		header.IPv6(packet).Encode(&header.IPv6Fields{
			PayloadLength: uint16(size + n), TransportProtocol: proto, HopLimit: 64,
			SrcAddr: toAddress(netip.MustParseAddr("fd09::1")), DstAddr: toAddress(netip.MustParseAddr("fd09::2")),
		})
	} else {
		ip := header.IPv4(packet)
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(proto), ID: 7,
			SrcAddr: toAddress(netip.MustParseAddr("10.9.0.1")), DstAddr: toAddress(netip.MustParseAddr("10.9.0.2")),
		})
		ip.SetChecksum(^ip.CalculateChecksum())
	}
	if datagram {
		header.UDP(frame[start:]).Encode(&header.UDPFields{SrcPort: 7, DstPort: 8, Length: uint16(size + n)})
	} else {
		header.TCP(frame[start:]).Encode(&header.TCPFields{
			SrcPort: 7, DstPort: 8, SeqNum: 1<<32 - 100, DataOffset: header.TCPMinimumSize,
			Flags: header.TCPFlagAck | header.TCPFlagPsh | header.TCPFlagFin | header.TCPFlagCwr,
		})
	}
	for i := range n {
		frame[start+size+i] = byte(i)
	}
	binary.BigEndian.PutUint16(frame[start+at:], pseudo(frame, start, datagram))
	return vnetHeader{flags: vnetNeedsCsum, csumStart: uint16(start), csumOffset: uint16(at)}, frame
}

func TestFinish(t *testing.T) {
	for _, tc := range []struct {
		name          string
		six, datagram bool
		kind          uint8
	}{
		{"tcp4", false, false, vnetTCPv4}, {"tcp6", true, false, vnetTCPv6},
		{"tcp4_with_marks", false, false, vnetTCPv4 | vnetECN}, {"udp4", false, true, vnetUDP}, {"udp6", true, true, vnetUDP},
	} {
		t.Run(tc.name+"/checksum_is_completed", func(t *testing.T) {
			h, frame := whole(tc.six, tc.datagram, 501)
			got := h.finish(frame)
			if len(got) != 1 {
				t.Fatalf("%d frames", len(got))
			}
			if b := buffer.MakeWithData(got[0]); checksumWrong(&b) {
				t.Error("it does not hold")
			}
		})
		t.Run(tc.name+"/parts_are_packets", func(t *testing.T) {
			h, frame := whole(tc.six, tc.datagram, 2501)
			h.gsoType, h.gsoSize = tc.kind, 1000
			got := h.finish(frame)
			if len(got) != 3 {
				t.Fatalf("%d frames", len(got))
			}
			var data []byte
			for i, f := range got {
				if b := buffer.MakeWithData(f); checksumWrong(&b) {
					t.Errorf("%d: the checksum does not hold", i)
				}
				if packetEnd(f) != len(f) {
					t.Errorf("%d: has %d bytes, not %d", i, len(f), packetEnd(f))
				}
				if !tc.six && (!header.IPv4(f[14:34]).IsChecksumValid() || header.IPv4(f[14:]).ID() != uint16(7+i)) {
					t.Errorf("%d: the header is %v", i, f[14:34])
				}
				transport := f[h.csumStart:]
				if tc.datagram {
					data = append(data, transport[header.UDPMinimumSize:]...)
					continue
				}
				want := header.TCPFlagAck
				if i == 0 {
					want |= header.TCPFlagCwr
				}
				if i == 2 {
					want |= header.TCPFlagPsh | header.TCPFlagFin
				}
				if s := header.TCP(transport); s.SequenceNumber() != uint32(1000*i-100) || s.Flags() != want {
					t.Errorf("%d: sequence number %d, flags %v", i, s.SequenceNumber(), s.Flags())
				}
				data = append(data, transport[header.TCPMinimumSize:]...)
			}
			if !bytes.Equal(data, frame[len(frame)-2501:]) {
				t.Error("other bytes")
			}
		})
	}
}

// TestFinishRefusesLongHeaders: each of the parts would have them.
func TestFinishRefusesLongHeaders(t *testing.T) {
	h, frame := whole(true, true, 60_000)
	h.gsoType, h.gsoSize, h.csumStart = vnetUDP, minCut, 30_000
	if got := h.finish(frame); got != nil {
		t.Errorf("%d frames", len(got))
	}
}

func FuzzFinish(f *testing.F) {
	for _, six := range []bool{false, true} {
		h, frame := whole(six, six, 300)
		h.gsoType, h.gsoSize = vnetTCPv4, 100
		var b [VNetHeaderSize]byte
		h.put(&b)
		f.Add(append(b[:], frame...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < VNetHeaderSize || len(b) > largestGSO {
			return
		}
		var h vnetHeader
		h.get((*[VNetHeaderSize]byte)(b))
		total := 0
		for _, p := range h.finish(bytes.Clone(b[VNetHeaderSize:])) {
			total += len(p)
		}
		if total > (len(b)/minCut+1)*(maxHeaders+len(b)/minCut) {
			t.Errorf("%d bytes of %d", total, len(b))
		}
	})
}

func TestForwardingBetweenOffloadingLinks(t *testing.T) {
	var all [3]*Stack // a client, a router, a server
	for i := range all {
		s, err := New()
		check(t, err)
		t.Cleanup(s.Close)
		all[i] = s
	}
	for i, ends := range [][2]*Stack{{all[0], all[1]}, {all[2], all[1]}} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		check(t, err)
		for j, s := range ends {
			l := Link{Name: "eth" + string(byte('0'+i)), HWAddr: HWAddr{2, 0, 0, 0, byte(i), byte(j)}, MTU: 1500, FD: fds[j], VNetHeader: true, GSOMax: largestGSO}
			check(t, s.AddLink(int32(2+i), l))
			check(t, s.AddAddress(int32(2+i), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), byte(1 + j)}), 24)))
		}
		gateway := netip.AddrFrom4([4]byte{10, 9, byte(i), 2})
		check(t, ends[0].AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: gateway, Index: int32(2 + i)}))
	}
	check(t, all[1].SetForwarding(IPv4, true))
	l := endpoint(t, all[2], TCP, IPv4)
	to := Addr{IP: netip.MustParseAddr("10.9.1.1"), Port: 7}
	check(t, l.Bind(to))
	check(t, l.Listen(1))
	client := endpoint(t, all[0], TCP, IPv4)
	client.Connect(to)
	var server *Endpoint
	eventually(t, "accepted", func() bool {
		var err error
		server, _, err = l.Accept()
		return err == nil
	})
	t.Cleanup(server.Close)
	data := bytes.Repeat([]byte("router"), 100_000)
	if got := pump(t, client, server, data, 64<<10); !bytes.Equal(got, data) {
		t.Error("other bytes arrived")
	}
}
