package netstack

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// The linker does not compare the types of what segment_unsafe.go names.
func TestSegmentSteps(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "gvisor.dev/gvisor/pkg/tcpip/transport/tcp").Output()
	if err != nil {
		t.Skip("go list: ", err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	check(t, err)
	got := make(map[string]string)
	for _, name := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		check(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				got[functionName(fn)] = typeText(fn.Type)
			}
		}
	}
	for name, want := range map[string]string{
		"newIncomingSegment":         "func(id stack.TransportEndpointID, clock tcpip.Clock, pkt *stack.PacketBuffer) (*segment, error)",
		"(*segment).DecRef":          "func()",
		"(*Endpoint).enqueueSegment": "func(s *segment) bool",
		"handleConnected":            "func(ep *Endpoint)",
	} {
		if got[name] != want {
			t.Errorf("%s is %q", name, got[name])
		}
	}
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return "(" + typeText(f.Recv.List[0].Type) + ")." + f.Name.Name
}

func typeText(e ast.Expr) string {
	var b bytes.Buffer
	printer.Fprint(&b, token.NewFileSet(), e)
	return b.String()
}

func TestBacklog(t *testing.T) {
	t.Run("what_arrives_during_a_call_waits_for_its_end", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		server.backlog.begin()
		client.Write(payload{bytes.NewReader([]byte("late"))}, WriteOptions{})
		eventually(t, "kept", func() bool {
			server.backlog.mu.Lock()
			defer server.backlog.mu.Unlock()
			return len(server.backlog.arrivals) == 1
		})
		var got bytes.Buffer
		if server.Read(&got, ReadOptions{}); got.Len() != 0 {
			t.Errorf("%q was dealt with", got.String())
		}
		server.backlog.end(server.ep)
		if server.Read(&got, ReadOptions{}); got.String() != "late" {
			t.Errorf("%q came", got.String())
		}
	})
	t.Run("more_than_it_holds_stays_in_order", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		client.ep.SocketOptions().SetDelayOption(false)
		server.backlog.begin()
		var want []byte
		for i := range byte(3 * maxBacklog) {
			want = append(want, i)
			client.Write(payload{bytes.NewReader([]byte{i})}, WriteOptions{})
		}
		server.backlog.end(server.ep)
		var got bytes.Buffer
		eventually(t, "arrived", func() bool { server.Read(&got, ReadOptions{}); return got.Len() == len(want) })
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("% x", got.Bytes())
		}
	})
	t.Run("large_segments_are_left_to_the_stack", func(t *testing.T) {
		a, b := offloading(t)
		_, server := connected(t, a, b)
		var r recorder
		x := newExpress(b, 2)
		x.tcp = &atOnce{stack: b, later: &r}
		for _, w := range []wireSegment{{seq: 5, size: 100}, {seq: 500, size: bulk + 1}, {seq: 5, size: 200}} {
			f := w.frame(server)
			var s segment
			if !s.parse(f, len(f)) || !x.take(&s, func() buffer.Buffer { return buffer.MakeWithData(f) }) {
				t.Fatal("not taken")
			}
		}
		x.flush()
		if !slices.Equal(r.sizes, []int{bulk + 1}) {
			t.Errorf("%v", r.sizes)
		}
	})
	t.Run("readers_and_writers_of_both_ends", func(t *testing.T) {
		a, b := offloading(t)
		client, server := connected(t, a, b)
		data := make([]byte, 4<<20)
		for i := range data {
			data[i] = byte(i*7 + i>>9)
		}
		var both sync.WaitGroup
		for _, way := range [][2]*Endpoint{{client, server}, {server, client}} {
			both.Go(func() {
				if got := pump(t, way[0], way[1], data, 50_000); !bytes.Equal(got, data) {
					t.Error("other bytes arrived")
				}
			})
		}
		both.Wait()
		for _, e := range []*Endpoint{client, server} {
			if e.ep.(*tcp.Endpoint).EndpointState() != tcp.StateEstablished || e.backlog.calls != 0 || len(e.backlog.arrivals) != 0 {
				t.Error("something is left")
			}
		}
	})
}
