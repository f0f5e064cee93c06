package netstack

import (
	"context"

	"gvisor.dev/gvisor/pkg/state"
)

// What pkg/state wants of each type it walks. Names and numbers here are the blob's format.

func (*image) StateTypeName() string { return "cordon/netstack.image" }
func (*image) StateFields() []string { return []string{"stacks", "endpoints"} }
func (i *image) StateSave(m state.Sink) {
	m.Save(0, &i.stacks)
	m.Save(1, &i.endpoints)
}
func (i *image) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &i.stacks)
	m.Load(1, &i.endpoints)
}

func (*stackImage) StateTypeName() string { return "cordon/netstack.stackImage" }
func (*stackImage) StateFields() []string {
	return []string{"s", "tables", "links", "routes", "serial"}
}
func (i *stackImage) StateSave(m state.Sink) {
	m.Save(0, &i.s)
	m.Save(1, &i.tables)
	m.Save(2, &i.links)
	m.Save(3, &i.routes)
	m.Save(4, &i.serial)
}
func (i *stackImage) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &i.s)
	m.Load(1, &i.tables)
	m.Load(2, &i.links)
	m.Load(3, &i.routes)
	m.Load(4, &i.serial)
}

func (*linkImage) StateTypeName() string { return "cordon/netstack.linkImage" }
func (*linkImage) StateFields() []string {
	return []string{"index", "name", "kind", "mtu", "down", "addrs", "hwaddr", "pair", "started", "bridge", "port"}
}
func (i *linkImage) StateSave(m state.Sink) {
	m.Save(0, &i.index)
	m.Save(1, &i.name)
	m.Save(2, &i.kind)
	m.Save(3, &i.mtu)
	m.Save(4, &i.down)
	m.Save(5, &i.addrs)
	m.Save(6, &i.hwaddr)
	m.Save(7, &i.pair)
	m.Save(8, &i.started)
	m.Save(9, &i.bridge)
	m.Save(10, &i.port)
}
func (i *linkImage) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &i.index)
	m.Load(1, &i.name)
	m.Load(2, &i.kind)
	m.Load(3, &i.mtu)
	m.Load(4, &i.down)
	m.Load(5, &i.addrs)
	m.Load(6, &i.hwaddr)
	m.Load(7, &i.pair)
	m.Load(8, &i.started)
	m.Load(9, &i.bridge)
	m.Load(10, &i.port)
}

func (*endpointImage) StateTypeName() string { return "cordon/netstack.endpointImage" }
func (*endpointImage) StateFields() []string {
	return []string{"stack", "ep", "wq", "kind", "family", "proto", "flow"}
}
func (e *endpointImage) StateSave(m state.Sink) {
	m.Save(0, &e.stack)
	m.Save(1, &e.ep)
	m.Save(2, &e.wq)
	m.Save(3, &e.kind)
	m.Save(4, &e.family)
	m.Save(5, &e.proto)
	m.Save(6, &e.flow)
}
func (e *endpointImage) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &e.stack)
	m.Load(1, &e.ep)
	m.Load(2, &e.wq)
	m.Load(3, &e.kind)
	m.Load(4, &e.family)
	m.Load(5, &e.proto)
	m.Load(6, &e.flow)
}

func (*flowImage) StateTypeName() string { return "cordon/netstack.flowImage" }
func (*flowImage) StateFields() []string {
	return []string{"spliced", "peer", "sent", "received", "earlier", "data"}
}
func (f *flowImage) StateSave(m state.Sink) {
	m.Save(0, &f.spliced)
	m.Save(1, &f.peer)
	m.Save(2, &f.sent)
	m.Save(3, &f.received)
	m.Save(4, &f.earlier)
	m.Save(5, &f.data)
}
func (f *flowImage) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &f.spliced)
	m.Load(1, &f.peer)
	m.Load(2, &f.sent)
	m.Load(3, &f.received)
	m.Load(4, &f.earlier)
	m.Load(5, &f.data)
}
