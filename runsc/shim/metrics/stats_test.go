package metrics

import (
	"testing"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"
)

const line = `{"type":"stats","id":"a","data":{"cpu":{"usage":{"total":3000000,"kernel":1000000,"user":2000000,"percpu":[1,2]},
"throttling":{"periods":4,"throttledPeriods":3,"throttledTime":2000}},
"memory":{"usage":{"limit":64,"usage":32,"max":48,"failcnt":1},"raw":{"rss":7,"anon":8,"inactive_file":9,"total_inactive_file":9}},
"pids":{"current":5,"limit":6},"blkio":{"ioServiceBytesRecursive":[{"major":8,"minor":1,"op":"Read","value":10},{"major":8,"minor":1,"op":"Write","value":11}]},
"hugetlb":{"2MB":{"usage":1,"max":2,"failcnt":3}},"network_interfaces":[{"Name":"eth0","RxBytes":12,"TxBytes":13}]}}`

func TestFromEvent(t *testing.T) {
	t.Run("first version", func(t *testing.T) {
		m, err := FromEvent([]byte(line), V1)
		if err != nil {
			t.Fatal(err)
		}
		s := m.(*v1.Metrics)
		if s.CPU.Usage.Total != 3000000 || s.CPU.Throttling.ThrottledPeriods != 3 || len(s.CPU.Usage.PerCPU) != 2 {
			t.Errorf("cpu is %v", s.CPU)
		}
		if s.Memory.Usage.Limit != 64 || s.Memory.Usage.Usage != 32 || s.Memory.RSS != 7 || s.Memory.TotalInactiveFile != 9 {
			t.Errorf("memory is %v", s.Memory)
		}
		if s.Pids.Current != 5 || len(s.Blkio.IoServiceBytesRecursive) != 2 || len(s.Hugetlb) != 1 || s.Network[0].TxBytes != 13 {
			t.Errorf("it is %v", s)
		}
	})
	t.Run("second version", func(t *testing.T) {
		m, err := FromEvent([]byte(line), V2)
		if err != nil {
			t.Fatal(err)
		}
		s := m.(*v2.Metrics)
		if s.CPU.UsageUsec != 3000 || s.CPU.ThrottledUsec != 2 || s.Memory.Usage != 32 || s.Memory.Anon != 8 || s.Memory.UsageLimit != 64 {
			t.Errorf("it is %v", s)
		}
		if len(s.Io.Usage) != 1 || s.Io.Usage[0].Rbytes != 10 || s.Io.Usage[0].Wbytes != 11 {
			t.Errorf("io is %v", s.Io)
		}
	})
	t.Run("what is no event is an error", func(t *testing.T) {
		if m, err := FromEvent([]byte("{"), V1); err == nil {
			t.Errorf("it is %v", m)
		}
	})
}
