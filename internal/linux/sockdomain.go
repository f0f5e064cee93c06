package linux

// SocketDomain is an address family as socket(2) gets it: an int, which may be
// none.
type SocketDomain int32

// Family returns the address family, or AF_MAX for a number that is none.
func (d SocketDomain) Family() AddressFamily {
	if d < 0 || d >= SocketDomain(AF_MAX) {
		return AF_MAX
	}
	return AddressFamily(d)
}

func (d SocketDomain) String() string { return formatEnum(int64(d), addressFamilyNames[:]) }
