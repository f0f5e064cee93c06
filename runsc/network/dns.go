package network

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// What is read of DNS messages (RFC 1035 4): the question, and the addresses in the answer.

const (
	dnsHeader    = 12
	dnsClassIN   = 1
	dnsA         = 1
	dnsCNAME     = 5
	dnsAAAA      = 28
	dnsRefused   = 5
	dnsResponse  = 0x80
	maxDNSLabels = 128 // of a name, pointers included
)

var errDNS = errors.New("a malformed DNS message")

// question returns the name that a message asks for, in lower case without a final dot.
func question(b []byte) (name string, rest int, err error) {
	if len(b) < dnsHeader || binary.BigEndian.Uint16(b[4:]) != 1 {
		return "", 0, errDNS // nobody asks two questions
	}
	name, at, err := dnsName(b, dnsHeader)
	if err != nil || at+4 > len(b) {
		return "", 0, errDNS
	}
	return name, at + 4, nil
}

// dnsName reads a name at an offset and returns where it ends.
func dnsName(b []byte, at int) (string, int, error) {
	var out strings.Builder
	end := -1
	for range maxDNSLabels {
		if at >= len(b) {
			return "", 0, errDNS
		}
		n := int(b[at])
		switch {
		case n == 0:
			if end < 0 {
				end = at + 1
			}
			return strings.ToLower(strings.TrimSuffix(out.String(), ".")), end, nil
		case n&0xc0 == 0xc0:
			if at+1 >= len(b) {
				return "", 0, errDNS
			}
			if end < 0 {
				end = at + 2
			}
			at = n&0x3f<<8 | int(b[at+1])
		case n&0xc0 != 0 || at+1+n > len(b) || out.Len()+n > 255:
			return "", 0, errDNS
		default:
			out.Write(b[at+1 : at+1+n])
			out.WriteByte('.')
			at += 1 + n
		}
	}
	return "", 0, errDNS
}

// A dnsAddress is an address of an answer.
type dnsAddress struct {
	ip  netip.Addr
	ttl time.Duration
}

// answers returns the name that a response is about and the addresses that it leads to, by way of other names or not.
func answers(b []byte) (string, []dnsAddress, error) {
	name, at, err := question(b)
	if err != nil || b[2]&dnsResponse == 0 {
		return "", nil, errDNS
	}
	names := map[string]bool{name: true}
	var out []dnsAddress
	for range binary.BigEndian.Uint16(b[6:]) {
		owner, next, err := dnsName(b, at)
		if err != nil || next+10 > len(b) {
			return "", nil, errDNS
		}
		typ, class := binary.BigEndian.Uint16(b[next:]), binary.BigEndian.Uint16(b[next+2:])
		ttl, size := binary.BigEndian.Uint32(b[next+4:]), int(binary.BigEndian.Uint16(b[next+8:]))
		data := next + 10
		if at = data + size; at > len(b) {
			return "", nil, errDNS
		}
		if class != dnsClassIN || !names[owner] {
			continue
		}
		switch {
		case typ == dnsCNAME:
			target, _, err := dnsName(b, data)
			if err != nil {
				return "", nil, errDNS
			}
			names[target] = true
		case typ == dnsA && size == 4 || typ == dnsAAAA && size == 16:
			ip, _ := netip.AddrFromSlice(b[data:at])
			out = append(out, dnsAddress{ip.Unmap(), time.Duration(ttl) * time.Second})
		}
	}
	return name, out, nil
}

// refusal is the answer to a question that may not be asked.
func refusal(query []byte, end int) []byte {
	out := append([]byte(nil), query[:end]...)
	out[2] |= dnsResponse
	out[3] = out[3]&0xf0 | dnsRefused
	clear(out[6:dnsHeader]) // neither answers nor extensions
	return out
}
