package linux

// Versions of rings.
const (
	TPACKET_V1 = 0
	TPACKET_V2 = 1
	TPACKET_V3 = 2
)

// States of a ring's frame, and flags beside them.
const (
	TP_STATUS_KERNEL      = 0
	TP_STATUS_USER        = 1 << 0
	TP_STATUS_COPY        = 1 << 1
	TP_STATUS_LOSING      = 1 << 2
	TP_STATUS_BLK_TMO     = 1 << 5
	TP_STATUS_CSUM_VALID  = 1 << 7
	TP_STATUS_TS_SOFTWARE = 1 << 29
)

// Sizes of the headers of rings and of structures of AF_PACKET.
const (
	TPACKET_ALIGNMENT   = 16
	SizeSockaddrLl      = 20
	SizeTpacketHdr      = 32
	SizeTpacket2Hdr     = 32
	SizeTpacket3Hdr     = 48
	SizeTpacketBlockHdr = 48
	SizeTpacketReq      = 16
	SizeTpacketReq3     = 28
	SizePacketMreq      = 16
)

// TpacketAlign is TPACKET_ALIGN.
func TpacketAlign(n int) int { return (n + TPACKET_ALIGNMENT - 1) &^ (TPACKET_ALIGNMENT - 1) }
