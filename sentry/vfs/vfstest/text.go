package vfstest

import "cordon/sentry/memmap"

// SharedText is a file's patched text that notes when it is stale.
type SharedText struct{ IsStale bool }

// Stale implements memmap.SharedText.
func (s *SharedText) Stale() { s.IsStale = true }

// Version implements memmap.SharedText.
func (s *SharedText) Version() memmap.TextVersion { return memmap.TextVersion{} }

// Spaces counts how often mappings are taken back from address spaces.
type Spaces struct{ Taken int }

// Invalidate implements memmap.MappingSpace.
func (s *Spaces) Invalidate(memmap.Mappable, uint64, uint64, bool) { s.Taken++ }
