package procfs

import (
	"math"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/task"
)

// netOf is the network namespace of a reader, or of the first process for the kernel itself.
func (sh *shared) netOf(t *task.Task) *socket.Namespace {
	if t == nil {
		if g := sh.sys.InitGroup(); g != nil {
			t = g.Leader()
		}
	}
	if t == nil || t.Namespaces() == nil {
		return nil
	}
	n, _ := t.Namespaces().Net.(*socket.Namespace)
	if n == nil || n.Stack == nil {
		return nil
	}
	return n
}

// A netRow makes a row of numbers that a namespace has. Where there is no stack, the value is the one that other rows say.
func (sh *shared) netRow(path, without string, least, most int64, get func(*socket.Namespace) []int64, set func(*socket.Namespace, []int64) error) Sysctl {
	return Sysctl{
		Path: path, Mode: 0o644,
		Get: func(t *task.Task) string {
			n := sh.netOf(t)
			if n == nil {
				return without
			}
			var out []string
			for _, v := range get(n) {
				out = append(out, strconv.FormatInt(v, 10))
			}
			return strings.Join(out, "\t")
		},
		Set: func(t *task.Task, s string) linux.Errno {
			n := sh.netOf(t)
			if n == nil {
				return linux.EINVAL
			}
			if t != nil && !n.Capable(t.Caller(), linux.CAP_NET_ADMIN) {
				return linux.EPERM
			}
			want := get(n)
			fields := strings.Fields(s)
			if len(fields) == 0 || len(fields) > len(want) {
				return linux.EINVAL
			}
			for i, f := range fields { // as in Linux, the first ones may be given alone
				v, err := strconv.ParseInt(f, 0, 64)
				if err != nil || v < least || v > most {
					return linux.EINVAL
				}
				want[i] = v
			}
			if err := set(n, want); err != nil {
				if e, ok := err.(linux.Errno); ok {
					return e
				}
				return linux.EINVAL
			}
			return 0
		},
	}
}

// knobRow is a number among a namespace's knobs.
func (sh *shared) knobRow(path string, without, least, most int64, of func(*socket.Knobs) *int32) Sysctl {
	return sh.netRow(path, strconv.FormatInt(without, 10), least, most,
		func(n *socket.Namespace) []int64 { k := n.Knobs(); return []int64{int64(*of(&k))} },
		func(n *socket.Namespace, v []int64) error {
			n.ChangeKnobs(func(k *socket.Knobs) { *of(k) = int32(v[0]) })
			return nil
		})
}

// tuneRow is a number of the stack.
func (sh *shared) tuneRow(path string, without, least, most int64, t netstack.Tunable) Sysctl {
	return sh.netRow(path, strconv.FormatInt(without, 10), least, most,
		func(n *socket.Namespace) []int64 { return []int64{int64(n.Stack.Tunable(t))} },
		func(n *socket.Namespace, v []int64) error { return n.Stack.Tune(t, int(v[0])) })
}

func (sh *shared) forwardRow(path string, f netstack.Family) Sysctl {
	return sh.netRow(path, "0", 0, 1,
		func(n *socket.Namespace) []int64 {
			if n.Stack.Forwarding(f) {
				return []int64{1}
			}
			return []int64{0}
		},
		func(n *socket.Namespace, v []int64) error { return n.Stack.SetForwarding(f, v[0] != 0) })
}

// sixRow turns IPv6 off; index 0 is for all.
func (sh *shared) sixRow(path string, index int32) Sysctl {
	return sh.netRow(path, "0", 0, 1,
		func(n *socket.Namespace) []int64 {
			if k := n.Knobs(); k.WithoutIPv6(index) {
				return []int64{1}
			}
			return []int64{0}
		},
		func(n *socket.Namespace, v []int64) error {
			n.SetIPv6(index, v[0] == 0)
			return nil
		})
}

// netSysctls are the rows of net that do something.
func (sh *shared) netSysctls() []Sysctl {
	const portMax, idMax = 65535, math.MaxUint32 - 1
	return []Sysctl{
		sh.knobRow("net/core/somaxconn", linux.SOMAXCONN, 0, math.MaxInt32, func(k *socket.Knobs) *int32 { return &k.Somaxconn }),
		sh.knobRow("net/core/rmem_max", socket.MaxBuffer, socket.MinRecvBuffer, math.MaxInt32/2, func(k *socket.Knobs) *int32 { return &k.RmemMax }),
		sh.knobRow("net/core/wmem_max", socket.MaxBuffer, socket.MinSendBuffer, math.MaxInt32/2, func(k *socket.Knobs) *int32 { return &k.WmemMax }),
		sh.knobRow("net/ipv4/ip_unprivileged_port_start", 1024, 0, portMax, func(k *socket.Knobs) *int32 { return &k.FreePort }),
		sh.netRow("net/ipv4/ping_group_range", "1\t0", 0, idMax,
			func(n *socket.Namespace) []int64 {
				k := n.Knobs()
				return []int64{int64(k.PingLow), int64(k.PingHigh)}
			},
			func(n *socket.Namespace, v []int64) error {
				n.ChangeKnobs(func(k *socket.Knobs) { k.PingLow, k.PingHigh = uint32(v[0]), uint32(v[1]) })
				return nil
			}),
		sh.netRow("net/ipv4/ip_local_port_range", "32768\t60999", 1, portMax,
			func(n *socket.Namespace) []int64 {
				return []int64{int64(n.Stack.Tunable(netstack.TuneFirstPort)), int64(n.Stack.Tunable(netstack.TuneLastPort))}
			},
			func(n *socket.Namespace, v []int64) error { return n.Stack.SetPorts(uint16(v[0]), uint16(v[1])) }),
		sh.forwardRow("net/ipv4/ip_forward", netstack.IPv4),
		sh.forwardRow("net/ipv4/conf/all/forwarding", netstack.IPv4),
		sh.forwardRow("net/ipv6/conf/all/forwarding", netstack.IPv6),
		sh.tuneRow("net/ipv4/ip_default_ttl", 64, 1, 255, netstack.TuneTTL),
		sh.tuneRow("net/ipv4/tcp_sack", 1, 0, 1, netstack.TuneSACK),
		sh.tuneRow("net/ipv4/tcp_moderate_rcvbuf", 1, 0, 1, netstack.TuneModerate),
		sh.tuneRow("net/ipv4/tcp_syn_retries", 6, 1, 127, netstack.TuneSynRetries),
		sh.tuneRow("net/ipv4/tcp_fin_timeout", 60, 1, math.MaxInt32, netstack.TuneFinTimeout),
		sh.tuneRow("net/ipv4/tcp_retries2", 15, 1, 255, netstack.TuneRetries),
		sh.sixRow("net/ipv6/conf/all/disable_ipv6", 0),
		sh.sixRow("net/ipv6/conf/default/disable_ipv6", 0),
		sh.sixRow("net/ipv6/conf/lo/disable_ipv6", netstack.LoopbackIndex),
		{
			Path: "net/ipv4/tcp_congestion_control", Mode: 0o644,
			Get: func(t *task.Task) string {
				if n := sh.netOf(t); n != nil {
					return n.Stack.DefaultCongestion()
				}
				return "cubic"
			},
			Set: func(t *task.Task, s string) linux.Errno {
				n := sh.netOf(t)
				if n == nil {
					return linux.EINVAL
				}
				if n.Stack.SetDefaultCongestion(strings.TrimSpace(s)) != nil {
					return linux.ENOENT
				}
				return 0
			},
		},
	}
}
