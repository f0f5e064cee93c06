package spec

import "testing"

func TestTheLastPropagationCounts(t *testing.T) {
	for _, tt := range []struct {
		options []string
		want    bool
	}{
		{nil, false}, {[]string{"rbind", "rprivate"}, false}, {[]string{"rslave", "rbind"}, true}, {[]string{"slave", "private"}, false},
	} {
		if got := follows(tt.options); got != tt.want {
			t.Errorf("%v: %v", tt.options, got)
		}
	}
}
