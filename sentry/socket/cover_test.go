package socket

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	const lock = "a lock"
	for _, err := range []error{
		checkpoint.CheckCovered[Namespace, NamespaceImage](map[string]string{
			"mu": lock, "abstract": "sockets bind again", "sockets": "sockets list themselves again", "loaded": "of a restore under way",
			"Host": "refused", "confMu": lock, "conf": "Addrs, Routes and IDs", "serial": "the stack's", "among": "of the restored system",
		}),
		checkpoint.CheckCovered[Base, BaseImage](map[string]string{
			"mu": lock, "hooks": "the socket", "queue": "waiting calls are made again", "desc": "told again by vfs", "flags": "part of Opts", "sendBuffer": "of Opts", "peekOff": "of Opts",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
