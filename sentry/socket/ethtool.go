package socket

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/usermem"
)

// Requests of SIOCETHTOOL (ethtool.h).
const (
	ethtoolDriverInfo = 0x03
	ethtoolLink       = 0x0a
	ethtoolTimestamps = 0x41
	ethtoolGSO        = 0x23
	ethtoolGRO        = 0x2b
	ethtoolTSO        = 0x1e
	ethtoolRxCsum     = 0x14
	ethtoolTxCsum     = 0x16
	ethtoolSG         = 0x18
	ethtoolFlags      = 0x25
	ethtoolPermAddr   = 0x20
)

// ethtool answers SIOCETHTOOL about a link, as a driver would that has only what every link has. EOPNOTSUPP for the rest, and
// for all that would change something.
func ethtool(ns *Namespace, mem usermem.Space, i *netstack.Interface, arg uint64) error {
	var head [8]byte
	if _, err := mem.CopyIn(arg, head[:4]); err != nil {
		return err
	}
	var out []byte
	switch cmd := binary.LittleEndian.Uint32(head[:]); cmd {
	case ethtoolDriverInfo:
		driver := ns.DriverOf(i)
		if driver == "" {
			return linux.EOPNOTSUPP
		}
		out = make([]byte, 196)
		copy(out[4:35], driver)
		copy(out[36:67], "1.0")
	case ethtoolLink:
		out = flagOf(i.Up)
	case ethtoolTSO, ethtoolRxCsum, ethtoolTxCsum, ethtoolSG, ethtoolGSO, ethtoolGRO:
		out = flagOf(i.Loopback)
	case ethtoolFlags:
		out = flagOf(false)
	case ethtoolTimestamps:
		// Software time stamps of what comes in; no clock of the device's own.
		const softwareReceive, software = 1 << 3, 1 << 4
		out = make([]byte, 44)
		binary.LittleEndian.PutUint32(out[4:], softwareReceive|software)
		binary.LittleEndian.PutUint32(out[8:], ^uint32(0))
	case ethtoolPermAddr:
		if _, err := mem.CopyIn(arg, head[:]); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(head[4:]) < uint32(len(i.HWAddr)) {
			return linux.Errno(525) // ETOOSMALL, which programs should not see, and see
		}
		out = make([]byte, 8, 8+len(i.HWAddr))
		binary.LittleEndian.PutUint32(out[4:], uint32(len(i.HWAddr)))
		out = append(out, i.HWAddr[:]...)
	default:
		return linux.EOPNOTSUPP
	}
	copy(out, head[:4])
	_, err := mem.CopyOut(arg, out)
	return err
}

func flagOf(on bool) []byte {
	b := make([]byte, 8)
	if on {
		b[4] = 1
	}
	return b
}

// DriverOf is the name of a link's driver, or "" for loopback, which has none.
func (n *Namespace) DriverOf(i *netstack.Interface) string {
	if i.Loopback || n.Stack == nil {
		return ""
	}
	switch i.Kind {
	case "frames", "gateway":
		return "veth"
	}
	return i.Kind
}
