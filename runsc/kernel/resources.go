package kernel

import (
	"cordon/runsc/boot"
	"cordon/sentry"
)

// SetResources implements boot.Bounded.
func (g guest) SetResources(r boot.Resources) error {
	g.Container.SetResources(sentry.Resources(r))
	return nil
}

// Usage implements boot.Bounded.
func (g guest) Usage() boot.Usage { return boot.Usage(g.Container.Usage()) }
