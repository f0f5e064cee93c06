package linux

import "strconv"

// A bitName names one flag, or several bits that have a name together, which
// then stand before their parts in a table. An entry of value zero names the
// empty set.
type bitName struct {
	bits uint64
	name string
}

// An enumName names one value of an enumeration.
type enumName struct {
	value int64
	name  string
}

// formatBits writes a flag word in strace's form: names joined by |, and what
// no name covers in hexadecimal.
func formatBits(v uint64, names []bitName) string {
	return string(appendBits(nil, v, names))
}

func appendBits(buf []byte, v uint64, names []bitName) []byte {
	zero := "0"
	start := len(buf)
	for _, n := range names {
		if n.bits == 0 {
			zero = n.name
			continue
		}
		if v&n.bits != n.bits {
			continue
		}
		v &^= n.bits
		buf = appendOr(buf, start)
		buf = append(buf, n.name...)
	}
	if v != 0 {
		buf = appendOr(buf, start)
		buf = append(buf, "0x"...)
		buf = strconv.AppendUint(buf, v, 16)
	}
	if len(buf) == start {
		buf = append(buf, zero...)
	}
	return buf
}

func appendOr(buf []byte, start int) []byte {
	if len(buf) > start {
		return append(buf, '|')
	}
	return buf
}

// formatEnum writes the name of v, or v in hexadecimal where it has none
// (negative values in decimal).
func formatEnum(v int64, names []enumName) string {
	for _, n := range names {
		if n.value == v {
			return n.name
		}
	}
	if v < 0 {
		return strconv.FormatInt(v, 10)
	}
	return "0x" + strconv.FormatInt(v, 16)
}
