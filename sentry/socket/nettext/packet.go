package nettext

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/socket"
)

// packetText lists packet sockets.
func packetText(ns *socket.Namespace) []byte {
	b := []byte("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n")
	for _, l := range ns.Sockets(linux.AF_PACKET) {
		s, ok := l.(socket.PacketDiagnosed)
		if !ok {
			continue
		}
		d := s.PacketDiag()
		running := 0
		if d.Protocol != 0 {
			running = 1
		}
		ino, uid := l.Basis().Inode()
		b = fmt.Appendf(b, "%s %-6d %-4d %04x   %-5d %1d %-6d %-6d %-6d\n",
			kernelPointer, 3, int(l.Info().Type), d.Protocol, d.Index, running, d.Queued, uid, ino)
	}
	return b
}
