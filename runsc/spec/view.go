package spec

import (
	"cordon/runsc/boot"
	"cordon/runsc/sandbox"
)

// View is what of the container's tree the host has: its root directory and its bind
// mounts. A root that is the host's is nobody's to look at from there.
func (p *Plan) View() []sandbox.ViewMount {
	if p.Rootfs == "/" {
		return nil
	}
	var out []sandbox.ViewMount
	for _, m := range p.Boot.Mounts {
		if m.Type != boot.MountGofer {
			continue
		}
		for _, r := range p.Roots {
			if r.Attach == m.Attach {
				out = append(out, sandbox.ViewMount{Path: r.Path, Destination: m.Destination, ReadOnly: r.ReadOnly})
			}
		}
	}
	if len(out) == 0 || out[0].Destination != "/" {
		return nil
	}
	return out
}
