package sentry

import (
	"strings"

	"cordon/internal/linux"
)

// setSysctls sets what the container's specification asks for, as its first
// process would.
func (c *Container) setSysctls() error {
	for name, value := range c.conf.Sysctl {
		e := c.kernel.proc.SetSysctlOf(c.init.Leader(), name, value)
		if e == linux.EINVAL && strings.HasPrefix(name, "net.") {
			continue // the network stack has no such choice
		}
		if e != 0 {
			return &StartError{Message: "linux.sysctl: " + name + "=" + value + ": " + e.Error()}
		}
	}
	return nil
}
