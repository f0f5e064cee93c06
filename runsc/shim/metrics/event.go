package metrics

// An event is a line of `events`, as runc prints it: the part that containerd's
// messages take.
type event struct {
	Data stats `json:"data"`
}

type stats struct {
	CPU struct {
		Usage struct {
			Total, Kernel, User uint64
			Percpu              []uint64
		}
		Throttling struct {
			Periods, ThrottledPeriods, ThrottledTime uint64
		}
	}
	Memory struct {
		Usage, Swap, Kernel, KernelTCP memoryEntry
		Raw                            map[string]uint64
	}
	Pids struct {
		Current, Limit uint64
	}
	Blkio   blkioStats
	Hugetlb map[string]struct {
		Usage, Max, Failcnt uint64
	}
	NetworkInterfaces []struct {
		Name                                    string
		RxBytes, RxPackets, RxErrors, RxDropped uint64
		TxBytes, TxPackets, TxErrors, TxDropped uint64
	} `json:"network_interfaces"`
}

type memoryEntry struct {
	Limit, Usage, Max, Failcnt uint64
}

type blkioStats struct {
	IOServiceBytesRecursive, IOServicedRecursive                   []blkioEntry
	IOQueuedRecursive                                              []blkioEntry `json:"ioQueueRecursive"`
	IOServiceTimeRecursive, IOWaitTimeRecursive, IOMergedRecursive []blkioEntry
	IOTimeRecursive, SectorsRecursive                              []blkioEntry
}

type blkioEntry struct {
	Major, Minor, Value uint64
	Op                  string
}
