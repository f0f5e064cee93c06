package clients

import (
	"strings"
	"time"

	"golang.org/x/net/websocket"
)

// A stream is a connection to containerd's streaming server, as kubectl has it:
// each message has its channel in its first byte (0 standard input, 1 and 2 the
// outputs, 3 the end, 4 the terminal's size).
type stream struct {
	k    *kubelet
	conn *websocket.Conn
	got  [5]strings.Builder
}

// stream connects to a URL that Exec, Attach or PortForward gave.
func (k *kubelet) stream(url string) *stream {
	k.Helper()
	config, err := websocket.NewConfig("ws"+strings.TrimPrefix(url, "http"), "http://localhost/")
	if err != nil {
		k.Fatal(err)
	}
	config.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := k.dialInside(config.Location.Host)
	if err != nil {
		k.Fatal(err)
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		conn.Close()
		k.dump("streaming")
		k.Fatalf("%s: %v", url, err)
	}
	ws.PayloadType = websocket.BinaryFrame
	k.Cleanup(func() { ws.Close() })
	return &stream{k: k, conn: ws}
}

func (s *stream) send(channel byte, text string) {
	s.k.Helper()
	if err := websocket.Message.Send(s.conn, append([]byte{channel}, text...)); err != nil {
		s.k.Fatal(err)
	}
}

// expect waits until a channel has carried a text.
func (s *stream) expect(channel byte, text string) {
	s.k.Helper()
	s.conn.SetReadDeadline(time.Now().Add(commandTimeout))
	for !strings.Contains(s.got[channel].String(), text) {
		var m []byte
		if err := websocket.Message.Receive(s.conn, &m); err != nil {
			s.k.dump("a stream")
			s.k.Fatalf("channel %d carried %q, not %q: %v", channel, s.got[channel].String(), text, err)
		}
		if len(m) > 0 && int(m[0]) < len(s.got) {
			s.got[m[0]].Write(m[1:])
		}
	}
}

func (s *stream) close() { s.conn.Close() }
