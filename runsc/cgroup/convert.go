package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/coreos/go-systemd/v22/dbus"
	dbusv5 "github.com/godbus/dbus/v5"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options say what control groups a container is to have.
type Options struct {
	ID string
	// Path is linux.cgroupsPath; empty is the default.
	Path string
	// Systemd has systemd make them: Path is "slice:prefix:name" then.
	Systemd bool
	// Rootless tolerates that none can be made as long as no limit is asked for.
	Rootless bool
	// Resources may be nil.
	Resources *specs.LinuxResources
	// Annotations of the container may set properties of its systemd unit.
	Annotations map[string]string
}

// config is what the library is given.
func (o *Options) config() (*cgroups.Cgroup, error) {
	c := &cgroups.Cgroup{Systemd: o.Systemd, Rootless: o.Rootless, Resources: new(cgroups.Resources)}
	switch {
	case !o.Systemd && o.Path == "":
		c.Name = o.ID
	case !o.Systemd:
		c.Path = cleanPath(o.Path)
	case o.Path == "":
		c.ScopePrefix, c.Name = "runsc", o.ID
	default:
		parts := strings.Split(o.Path, ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("linux.cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q instead", o.Path)
		}
		c.Parent, c.ScopePrefix, c.Name = parts[0], parts[1], parts[2]
	}
	var err error
	if o.Systemd {
		if c.SystemdProps, err = systemdProperties(o.Annotations); err != nil {
			return nil, err
		}
	}
	c.Resources = convert(o.Resources)
	return c, nil
}

// cleanPath makes a path that cannot leave what it is joined to.
func cleanPath(p string) string {
	abs := filepath.IsAbs(p)
	p = filepath.Clean("/" + p)
	if !abs {
		p = strings.TrimPrefix(p, "/")
	}
	return p
}

// systemdProperties are those that annotations org.systemd.property.NAME set, in
// the form of the D-Bus. A name that ends in Sec is in seconds, as systemd's own
// documentation has it; the bus has microseconds.
func systemdProperties(notes map[string]string) (list []dbus.Property, err error) {
	const prefix = "org.systemd.property."
	for key, text := range notes {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if name == "" || strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) }) >= 0 {
			return nil, fmt.Errorf("annotation %s: invalid name", key)
		}
		value, err := dbusv5.ParseVariant(text, dbusv5.Signature{})
		if err != nil {
			return nil, fmt.Errorf("annotation %s=%s value parse error: %w", key, text, err)
		}
		if base, ok := strings.CutSuffix(name, "Sec"); ok && base != "" {
			if value, err = microseconds(value); err != nil {
				return nil, fmt.Errorf("annotation %s=%s: %w", key, text, err)
			}
			name = base + "USec"
		}
		list = append(list, dbus.Property{Name: name, Value: value})
	}
	return list, nil
}

func microseconds(v dbusv5.Variant) (dbusv5.Variant, error) {
	const second = 1000000
	var us uint64
	switch n := v.Value().(type) {
	case uint64:
		us = n * second
	case uint32:
		us = uint64(n) * second
	case int64:
		us = uint64(n) * second
	case int32:
		us = uint64(n) * second
	case float64:
		us = uint64(n * second)
	default:
		return v, errors.New("not a number")
	}
	return dbusv5.MakeVariant(us), nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// convert gives resources in the library's form.
func convert(r *specs.LinuxResources) *cgroups.Resources {
	x := new(cgroups.Resources)
	if r == nil {
		return x
	}
	if m := r.Memory; m != nil {
		x.Memory, x.MemoryReservation, x.MemorySwap = value(m.Limit), value(m.Reservation), value(m.Swap)
		x.MemorySwappiness, x.OomKillDisable = m.Swappiness, value(m.DisableOOMKiller)
		x.MemoryCheckBeforeUpdate = value(m.CheckBeforeUpdate)
	}
	if c := r.CPU; c != nil {
		x.CpuShares, x.CpuQuota, x.CpuPeriod, x.CpuBurst = value(c.Shares), value(c.Quota), value(c.Period), c.Burst
		x.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(x.CpuShares)
		x.CpuRtRuntime, x.CpuRtPeriod = value(c.RealtimeRuntime), value(c.RealtimePeriod)
		x.CpusetCpus, x.CpusetMems, x.CPUIdle = c.Cpus, c.Mems, c.Idle
	}
	if r.Pids != nil {
		x.PidsLimit = r.Pids.Limit
	}
	convertBlockIO(x, r.BlockIO)
	for _, l := range r.HugepageLimits {
		x.HugetlbLimit = append(x.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: l.Pagesize, Limit: l.Limit})
	}
	if n := r.Network; n != nil {
		x.NetClsClassid = value(n.ClassID)
		for _, p := range n.Priorities {
			x.NetPrioIfpriomap = append(x.NetPrioIfpriomap, &cgroups.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
		}
	}
	for name, l := range r.Rdma {
		if x.Rdma == nil {
			x.Rdma = make(map[string]cgroups.LinuxRdma)
		}
		x.Rdma[name] = cgroups.LinuxRdma{HcaHandles: l.HcaHandles, HcaObjects: l.HcaObjects}
	}
	for file, text := range r.Unified {
		if x.Unified == nil {
			x.Unified = make(map[string]string)
		}
		x.Unified[file] = text
	}
	return x
}

func convertBlockIO(x *cgroups.Resources, b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	x.BlkioWeight, x.BlkioLeafWeight = value(b.Weight), value(b.LeafWeight)
	for _, d := range b.WeightDevice {
		x.BlkioWeightDevice = append(x.BlkioWeightDevice, cgroups.NewWeightDevice(d.Major, d.Minor, value(d.Weight), value(d.LeafWeight)))
	}
	throttle := func(list []specs.LinuxThrottleDevice) (out []*cgroups.ThrottleDevice) {
		for _, d := range list {
			out = append(out, cgroups.NewThrottleDevice(d.Major, d.Minor, d.Rate))
		}
		return out
	}
	x.BlkioThrottleReadBpsDevice = throttle(b.ThrottleReadBpsDevice)
	x.BlkioThrottleWriteBpsDevice = throttle(b.ThrottleWriteBpsDevice)
	x.BlkioThrottleReadIOPSDevice = throttle(b.ThrottleReadIOPSDevice)
	x.BlkioThrottleWriteIOPSDevice = throttle(b.ThrottleWriteIOPSDevice)
}
