package netstack

import (
	"context"

	"gvisor.dev/gvisor/pkg/state"
)

// owner is whom packets of an endpoint belong to.
type owner struct{ uid, gid uint32 }

// SetOwner says whom the endpoint's packets belong to, for filters.
func (e *Endpoint) SetOwner(uid, gid uint32) { e.ep.SetOwner(&owner{uid, gid}) }

// KUID and KGID implement tcpip.PacketOwner.
func (o *owner) KUID() uint32 { return o.uid }
func (o *owner) KGID() uint32 { return o.gid }

func (*owner) StateTypeName() string                         { return "cordon/netstack.owner" }
func (*owner) StateFields() []string                         { return []string{"uid", "gid"} }
func (o *owner) parts() []any                                { return []any{&o.uid, &o.gid} }
func (o *owner) StateSave(m state.Sink)                      { saveParts(m, o.parts()) }
func (o *owner) StateLoad(_ context.Context, m state.Source) { loadParts(m, o.parts()) }
