package network

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// A Hop is a frame's way over one segment, as `network watch` shows it.
type Hop struct {
	Time    string `json:"time"`
	Network string `json:"network"`
	From    string `json:"from"`         // the node that sent it
	To      string `json:"to,omitempty"` // the node it went to; empty: all
	HWSrc   string `json:"hwsrc"`
	HWDst   string `json:"hwdst"`
	Proto   string `json:"proto"` // "arp", "icmp", "icmp6", "tcp", "udp", a number of IP, or of Ethernet in hexadecimal
	Src     string `json:"src,omitempty"`
	Dst     string `json:"dst,omitempty"`
	SrcPort uint16 `json:"srcport,omitempty"`
	DstPort uint16 `json:"dstport,omitempty"`
	TTL     uint8  `json:"ttl,omitempty"`
	ID      uint16 `json:"id,omitempty"`   // IPv4's, which stays the same from hop to hop
	Info    string `json:"info,omitempty"` // an ICMP message's name
	Length  int    `json:"length"`
}

// describe reads a frame of at least 14 bytes.
func describe(b []byte) Hop {
	h := Hop{HWDst: net.HardwareAddr(b[0:6]).String(), HWSrc: net.HardwareAddr(b[6:12]).String(), Length: len(b)}
	typ, p := binary.BigEndian.Uint16(b[12:]), b[14:]
	switch {
	case typ == 0x0806 && len(p) >= 28:
		h.Proto = "arp"
		h.Src, h.Dst = netip.AddrFrom4([4]byte(p[14:18])).String(), netip.AddrFrom4([4]byte(p[24:28])).String()
		h.Info = map[uint16]string{1: "request", 2: "reply"}[binary.BigEndian.Uint16(p[6:])]
	case typ == 0x0800 && len(p) >= 20 && int(p[0]&15)*4 <= len(p) && p[0]&15 >= 5:
		h.Src, h.Dst = netip.AddrFrom4([4]byte(p[12:16])).String(), netip.AddrFrom4([4]byte(p[16:20])).String()
		h.TTL, h.ID = p[8], binary.BigEndian.Uint16(p[4:])
		rest := p[int(p[0]&15)*4:]
		if binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
			h.Proto, h.Info = fmt.Sprint(p[9]), "fragment"
			break
		}
		h.transport(p[9], rest)
	case typ == 0x86dd && len(p) >= 40:
		h.Src, h.Dst = netip.AddrFrom16([16]byte(p[8:24])).String(), netip.AddrFrom16([16]byte(p[24:40])).String()
		h.TTL = p[7]
		h.transport(p[6], p[40:])
	default:
		h.Proto = fmt.Sprintf("%#04x", typ)
	}
	return h
}

// Set in one place and never changed.
var (
	icmpNames  = map[byte]string{0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded", 12: "parameter problem"}
	icmpNames6 = map[byte]string{1: "unreachable", 2: "too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request", 129: "echo reply",
		133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement"}
)

func (h *Hop) transport(proto byte, b []byte) {
	switch {
	case proto == 1 && len(b) >= 1:
		h.Proto, h.Info = "icmp", icmpNames[b[0]]
	case proto == 58 && len(b) >= 1:
		h.Proto, h.Info = "icmp6", icmpNames6[b[0]]
	case (proto == 6 || proto == 17) && len(b) >= 4:
		h.Proto = map[byte]string{6: "tcp", 17: "udp"}[proto]
		h.SrcPort, h.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	default:
		h.Proto = fmt.Sprint(proto)
	}
}
