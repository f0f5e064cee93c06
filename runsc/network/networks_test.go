package network

import (
	"strings"
	"testing"
)

// TestCreateNamesWhatIsWrong makes networks that cannot be.
func TestCreateNamesWhatIsWrong(t *testing.T) {
	n := &Networks{Dir: t.TempDir()}
	for want, info := range map[string]NetworkInfo{
		`subnet: "10.1" is no network`: {Name: "lan", Subnet: "10.1"},
		`mtu: 7 is not between`:        {Name: "lan", Subnet: "10.1.0.0/24", MTU: 7},
	} {
		if err := n.Create(info, false); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", info, err, want)
		}
	}
}
