package netstack

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// offloading returns two stacks as joined does, whose links leave cutting and checksums to the host.
func offloading(t *testing.T) (a, b *Stack) {
	t.Helper()
	var near, far [2]int
	for i := range near {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		near[i], far[i] = fds[0], fds[1]
		check(t, unix.SetNonblock(near[i], true))
		t.Cleanup(func() { unix.Shutdown(far[i], unix.SHUT_RDWR) })
	}
	for i := range far {
		go func() {
			frame := make([]byte, largestGSO+100)
			for {
				n, err := unix.Read(far[i], frame)
				if err != nil || n <= 0 {
					return
				}
				unix.Write(far[1-i], frame[:n])
			}
		}()
	}
	var all [2]*Stack
	for i := range all {
		s, err := New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		check(t, s.AddLink(0, Link{
			Name: "eth0", HWAddr: HWAddr{2, 0, 0, 0, 0, byte(i + 1)}, MTU: 1500, FD: near[i], VNetHeader: true, GSOMax: largestGSO,
		}))
		check(t, s.AddAddress(2, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}), 24)))
		check(t, s.AddAddress(2, netip.PrefixFrom(netip.MustParseAddr("fd09::").Next(), 64)))
		all[i] = s
	}
	return all[0], all[1]
}

// connected returns the two ends of a connection from a to b.
func connected(t *testing.T, a, b *Stack) (client, server *Endpoint) {
	t.Helper()
	l := endpoint(t, b, TCP, IPv4)
	to := Addr{IP: netip.MustParseAddr("10.9.0.2"), Port: 7}
	check(t, l.Bind(to))
	check(t, l.Listen(1))
	client = endpoint(t, a, TCP, IPv4)
	client.Connect(to)
	eventually(t, "accepted", func() bool {
		var err error
		server, _, err = l.Accept()
		return err == nil
	})
	t.Cleanup(server.Close)
	eventually(t, "connected", func() bool { return client.Readiness(EventOut)&EventOut != 0 })
	return client, server
}

// pump sends what is in data in writes of size bytes and returns what arrives.
func pump(t *testing.T, from, to *Endpoint, data []byte, size int) []byte {
	t.Helper()
	var got bytes.Buffer
	rest, at := data, 0
	eventually(t, "all has arrived", func() bool {
		for at < len(data) {
			rest = data[at:min(len(data), at/size*size+size)]
			n, err := from.Write(payload{bytes.NewReader(rest)}, WriteOptions{})
			at += n
			if err != nil {
				break
			}
		}
		to.Read(&got, ReadOptions{})
		return got.Len() >= len(data)
	})
	return got.Bytes()
}

func TestOffloading(t *testing.T) {
	t.Run("bytes_arrive_in_order", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		data := make([]byte, 3<<20)
		for i := range data {
			data[i] = byte(i*7 + i>>9)
		}
		if got := pump(t, client, server, data, 100_000); !bytes.Equal(got, data) {
			t.Error("other bytes arrived at the server")
		}
		if got := pump(t, server, client, data, 100_000); !bytes.Equal(got, data) {
			t.Error("other bytes arrived at the client")
		}
	})
	t.Run("a_full_segment_is_whole_packets", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		pump(t, client, server, []byte("x"), 1)
		if client.stride%1420 != 0 || client.stride < 60_000 {
			t.Errorf("it has %d bytes", client.stride)
		}
	})
	t.Run("writes_are_cut_where_full_segments_end", func(t *testing.T) {
		var w writes
		e := &Endpoint{ep: &w, stride: 1000}
		for range 2 {
			if n, err := e.writeStack(payload{bytes.NewReader(make([]byte, 2500))}, WriteOptions{}); n != 2500 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if want := []int{1000, 1000, 500, 500, 1000, 1000}; !slices.Equal(w.sizes, want) {
			t.Errorf("%v, not %v", w.sizes, want)
		}
	})
}

// writes is an endpoint that takes all it is given.
type writes struct {
	tcpip.Endpoint
	sizes []int
}

func (w *writes) Write(p tcpip.Payloader, _ tcpip.WriteOptions) (int64, tcpip.Error) {
	n, _ := io.Copy(io.Discard, p)
	w.sizes = append(w.sizes, int(n))
	return n, nil
}

// A recorder is TCP's queue.
type recorder struct{ sizes, acks []int }

func (r *recorder) QueuePacket(_ stack.TransportEndpoint, _ stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	r.sizes = append(r.sizes, pkt.Data().Size())
	r.acks = append(r.acks, int(header.TCP(pkt.TransportHeader().Slice()).AckNumber()))
}

// A wireSegment is a frame for a test to make.
type wireSegment struct {
	seq, ack uint32
	size     int
	flags    header.TCPFlags
	options  []byte
	window   uint16
	fragment bool
	to       string
}

func stamps(v byte) []byte { return []byte{1, 1, 8, 10, 0, 0, 0, v, 0, 0, 0, 1} }

func (w wireSegment) frame(e *Endpoint) []byte {
	k, _ := e.ends()
	size := header.TCPMinimumSize + len(w.options)
	b := make([]byte, header.EthernetMinimumSize+header.IPv4MinimumSize+size+w.size)
	copy(b, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0})
	ip := header.IPv4(b[header.EthernetMinimumSize:])
	to := k.local.Addr()
	if w.to != "" {
		to = netip.MustParseAddr(w.to)
	}
	f := header.IPv4Fields{
		TotalLength: uint16(len(ip)), TTL: 64, Protocol: 6, SrcAddr: toAddress(k.remote.Addr()), DstAddr: toAddress(to),
	}
	if w.fragment {
		f.Flags = header.IPv4FlagMoreFragments
	}
	ip.Encode(&f)
	ip.SetChecksum(^ip.CalculateChecksum())
	if w.flags == 0 {
		w.flags = header.TCPFlagAck
	}
	header.TCP(ip[header.IPv4MinimumSize:]).Encode(&header.TCPFields{
		SrcPort: k.remote.Port(), DstPort: k.local.Port(), SeqNum: w.seq, AckNum: w.ack, DataOffset: uint8(size), Flags: w.flags, WindowSize: w.window,
	})
	copy(ip[header.IPv4MinimumSize+header.TCPMinimumSize:], w.options)
	return b
}

func TestExpress(t *testing.T) {
	sack := append([]byte{1, 1, 5, 10}, binary.BigEndian.AppendUint64(nil, 1<<40)...)
	for _, tc := range []struct {
		name        string
		frames      []wireSegment
		sizes, acks []int
		left        int // frames for the usual way
	}{
		{"following_data_becomes_one", []wireSegment{{seq: 5, size: 100}, {seq: 105, size: 50}, {seq: 155, size: 1, flags: header.TCPFlagAck | header.TCPFlagPsh}}, []int{151}, []int{0}, 0},
		{"sequence_numbers_wrap", []wireSegment{{seq: 0xffffffff, size: 2}, {seq: 1, size: 2}}, []int{4}, []int{0}, 0},
		{"a_gap_stays_one", []wireSegment{{seq: 5, size: 100}, {seq: 106, size: 50}}, []int{100, 50}, []int{0, 0}, 0},
		{"another_acknowledgement_is_kept", []wireSegment{{seq: 5, ack: 1, size: 10}, {seq: 15, ack: 2, size: 10}}, []int{10, 10}, []int{1, 2}, 0},
		{"another_window_is_kept", []wireSegment{{seq: 5, size: 10, window: 1}, {seq: 15, size: 10, window: 2}}, []int{10, 10}, []int{0, 0}, 0},
		{"other_time_stamps_are_kept", []wireSegment{{seq: 5, size: 10, options: stamps(1)}, {seq: 15, size: 10, options: stamps(2)}}, []int{10, 10}, []int{0, 0}, 0},
		{"the_last_acknowledgement_counts", []wireSegment{{ack: 10, options: stamps(1)}, {ack: 20, options: stamps(1)}, {ack: 30, options: stamps(2)}}, []int{0}, []int{30}, 0},
		{"duplicates_are_kept", []wireSegment{{ack: 10}, {ack: 10}, {ack: 9}}, []int{0, 0, 0}, []int{10, 10, 9}, 0},
		{"selective_ones_are_kept", []wireSegment{{ack: 10, options: sack}, {ack: 20}, {ack: 30, options: sack}}, []int{0, 0, 0}, []int{10, 20, 30}, 0},
		{"congestion_marks_are_left", []wireSegment{{ack: 10}, {ack: 20, flags: header.TCPFlagAck | header.TCPFlagEce}}, []int{0}, []int{10}, 1},
		{"an_end_is_left", []wireSegment{{seq: 5, size: 10}, {seq: 15, size: 10, flags: header.TCPFlagAck | header.TCPFlagFin}}, []int{10}, []int{0}, 1},
		{"a_fragment_is_left", []wireSegment{{fragment: true, size: 10}}, nil, nil, 1},
		{"another_address_is_left", []wireSegment{{to: "10.9.0.7"}}, nil, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := offloading(t)
			_, server := connected(t, a, b)
			var r recorder
			x := newExpress(b, 2)
			x.tcp = &r
			left := 0
			for _, w := range tc.frames {
				f := w.frame(server)
				var s segment
				if !s.parse(f, len(f)) || !x.take(&s, func() buffer.Buffer { return buffer.MakeWithData(f) }) {
					x.flush()
					left++
				}
			}
			x.flush()
			if !slices.Equal(r.sizes, tc.sizes) || !slices.Equal(r.acks, tc.acks) || left != tc.left {
				t.Errorf("sizes %v, acknowledgements %v, %d left", r.sizes, r.acks, left)
			}
		})
	}
	t.Run("is_closed_by_those_who_look", func(t *testing.T) {
		a, b := offloading(t)
		connected(t, a, b)
		x := newExpress(b, 2)
		if !x.open() {
			t.Fatal("closed from the beginning")
		}
		tap, err := b.Tap(0, EtherAll, func(*Frame) {})
		check(t, err)
		if x.open() {
			t.Error("open beside a tap")
		}
		tap.Close()
		raw, err := b.NewEndpoint(Raw, IPv4, 6)
		check(t, err)
		t.Cleanup(raw.Close)
		if x.open() {
			t.Error("open beside a raw socket")
		}
	})
	t.Run("an_interface_that_is_down_receives_nothing", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		check(t, b.SetUp(2, false))
		client.Write(payload{bytes.NewReader([]byte("lost"))}, WriteOptions{})
		before := client.stack.Counters().TCPRetransSegs
		eventually(t, "sent again", func() bool { return client.stack.Counters().TCPRetransSegs > before })
		if _, err := server.Read(&bytes.Buffer{}, ReadOptions{}); err == nil {
			t.Error("something arrived")
		}
		check(t, b.SetUp(2, true))
		var got bytes.Buffer
		eventually(t, "arrived", func() bool { server.Read(&got, ReadOptions{}); return got.String() == "lost" })
	})
	t.Run("an_address_taken_away_receives_nothing", func(t *testing.T) {
		a, b := offloading(t)
		_, server := connected(t, a, b)
		x := newExpress(b, 2)
		f := wireSegment{}.frame(server)
		var s segment
		if !s.parse(f, len(f)) || !x.ours(&s) {
			t.Fatal("not ours")
		}
		check(t, b.RemoveAddress(2, netip.MustParsePrefix("10.9.0.2/24")))
		if x.ours(&s) {
			t.Error("still ours")
		}
	})
}
