package sentry

import "cordon/sentry/cred"

// setSysctls sets what the container's specification asks for, in the namespaces
// of its first process, which has not run yet, and with all rights.
func (c *Container) setSysctls() error {
	leader := c.init.Leader()
	own := leader.Cred()
	leader.SetCred(cred.Root(c.sys.UserNS, cred.AllCaps))
	defer leader.SetCred(own)
	for name, value := range c.conf.Sysctl {
		if e := c.kernel.proc.SetSysctlOf(leader, name, value); e != 0 {
			return &StartError{Message: "linux.sysctl: " + name + "=" + value + ": " + e.Error()}
		}
	}
	return nil
}
