package netstack

import (
	"context"

	"gvisor.dev/gvisor/pkg/state"
)

// What pkg/state wants of each type it walks. Names here, and the order of the parts, are the blob's format.

func saveParts(m state.Sink, parts []any) {
	for i, p := range parts {
		m.Save(i, p)
	}
}

func loadParts(m state.Source, parts []any) {
	for i, p := range parts {
		m.Load(i, p)
	}
}

func (*image) StateTypeName() string                         { return "cordon/netstack.image" }
func (*image) StateFields() []string                         { return []string{"stacks", "endpoints"} }
func (i *image) parts() []any                                { return []any{&i.stacks, &i.endpoints} }
func (i *image) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *image) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*stackImage) StateTypeName() string { return "cordon/netstack.stackImage" }
func (*stackImage) StateFields() []string {
	return []string{"s", "tables", "links", "routes", "serial"}
}
func (i *stackImage) parts() []any                                { return []any{&i.s, &i.tables, &i.links, &i.routes, &i.serial} }
func (i *stackImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *stackImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*linkImage) StateTypeName() string { return "cordon/netstack.linkImage" }
func (*linkImage) StateFields() []string {
	return []string{"index", "name", "kind", "mtu", "down", "addrs", "hwaddr", "pair", "started", "bridge", "port", "tun"}
}
func (i *linkImage) parts() []any {
	return []any{&i.index, &i.name, &i.kind, &i.mtu, &i.down, &i.addrs, &i.hwaddr, &i.pair, &i.started, &i.bridge, &i.port, &i.tun}
}
func (i *linkImage) StateSave(m state.Sink)                      { saveParts(m, i.parts()) }
func (i *linkImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, i.parts()) }

func (*endpointImage) StateTypeName() string { return "cordon/netstack.endpointImage" }
func (*endpointImage) StateFields() []string {
	return []string{"stack", "ep", "wq", "kind", "family", "proto", "flow"}
}
func (e *endpointImage) parts() []any {
	return []any{&e.stack, &e.ep, &e.wq, &e.kind, &e.family, &e.proto, &e.flow}
}
func (e *endpointImage) StateSave(m state.Sink)                      { saveParts(m, e.parts()) }
func (e *endpointImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, e.parts()) }

func (*flowImage) StateTypeName() string { return "cordon/netstack.flowImage" }
func (*flowImage) StateFields() []string {
	return []string{"spliced", "peer", "sent", "received", "earlier", "data"}
}
func (f *flowImage) parts() []any {
	return []any{&f.spliced, &f.peer, &f.sent, &f.received, &f.earlier, &f.data}
}
func (f *flowImage) StateSave(m state.Sink)                      { saveParts(m, f.parts()) }
func (f *flowImage) StateLoad(_ context.Context, m state.Source) { loadParts(m, f.parts()) }
