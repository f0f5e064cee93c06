package devpts

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const lockField, nobody, flushed = "a lock", "nobody waits", "done by unlock"
	for _, err := range []error{
		checkpoint.CheckCovered[Options, FSImage](nil),
		checkpoint.CheckCovered[FileSystem, FSImage](map[string]string{"options": "its fields", "mu": lockField}),
		checkpoint.CheckCovered[node, NodeImage](nil),
		checkpoint.CheckCovered[pair, PairImage](map[string]string{
			"fs": "SavedPair", "job": "Session and Foreground", "timer": "a read sets it again", "masterQueue": nobody,
			"slaveQueue": nobody, "mu": lockField, "slaves": "slaves count themselves", "wakeMaster": flushed, "wakeSlave": flushed,
			"signals": flushed,
		}),
		checkpoint.CheckCovered[input, PairImage](map[string]string{
			"cells": "In", "head": "In begins there", "lines": "counted", "last": "between two characters of VTIME",
		}),
		checkpoint.CheckCovered[output, PairImage](map[string]string{"bytes": "Out", "head": "Out begins there"}),
		checkpoint.CheckCovered[Master, MasterImage](nil),
		checkpoint.CheckCovered[Slave, SavedSlave](map[string]string{"hangups": "Slave", "nonblock": "Slave"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
