package netfilter

import (
	"testing"

	"cordon/checkpoint"
)

func TestImageCoversState(t *testing.T) {
	if err := checkpoint.CheckCovered[Ruleset, Image](map[string]string{
		"mu": "a lock", "stack": "the namespace's", "track": "connections begin anew", "run": "made of the rules", "now": "as messages",
	}); err != nil {
		t.Error(err)
	}
}
