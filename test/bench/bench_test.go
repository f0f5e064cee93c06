package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestKeysNameOneRow(t *testing.T) {
	seen := map[string]bool{"growth": true, "containers": true}
	for _, r := range slices.Concat(allRows(), growthRows(), containerRows(), networkRows()) {
		if seen[r.key] || strings.ContainsAny(r.key, ", ") {
			t.Errorf("%q cannot be a row's key", r.key)
		}
		seen[r.key] = true
		if (r.script == "") == (r.measure == nil) {
			t.Errorf("%s has to have either a script or a function", r.key)
		}
	}
	rows, err := chosenRows("start,growth")
	if err != nil || len(rows) != 1+len(growthRows()) || rows[0].key != "start" {
		t.Errorf("start,growth chose %d rows, %v", len(rows), err)
	}
	if _, err := chosenRows("start,nonsense"); err == nil {
		t.Error("a row that does not exist was chosen")
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		r              row
		native, cordon float64
		want           string
	}{
		{row{unit: micro}, 1, 9, ""},
		{row{unit: micro, bar: ratio(1)}, 2, 2, "1x"},
		{row{unit: micro, bar: ratio(1.5)}, 2, 3.1, "1.5x, missed"},
		{row{unit: milli, bar: value(30e6)}, 1, 30e6, "30 ms"},
		{row{unit: milli, bar: value(30e6)}, 1, 31e6, "30 ms, missed"},
		{row{unit: milli, bar: value(20e6)}, 0, 5e6, "20 ms"},
		{row{unit: perSec, bar: ratio(0.4)}, 100, 50, "at least 0.4x"},
		{row{unit: perSec, bar: ratio(0.4)}, 100, 30, "at least 0.4x, missed"},
	} {
		if got := c.r.verdict(c.native, c.cordon); got != c.want {
			t.Errorf("native %g, cordon %g: %q, want %q", c.native, c.cordon, got, c.want)
		}
	}
}

// A script's figures are found among what its programs say, its failure keeps
// their words, and its directory is gone afterwards.
func TestScripts(t *testing.T) {
	b, native := &bench{dir: t.TempDir()}, &runtime{name: "native"}
	got, err := b.script(row{script: "echo starting up; echo 4; touch here; pwd >$BENCH/where; echo 5.5"}, native)
	if err != nil || !slices.Equal(got, []sample{{0, 5.5}}) {
		t.Errorf("figures: %v, %v", got, err)
	}
	where, err := os.ReadFile(b.dir + "/where")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(strings.TrimSpace(string(where))); !os.IsNotExist(err) {
		t.Errorf("the directory %s is left: %v", where, err)
	}
	got, err = b.script(row{script: "echo 1 10; echo a b; echo 2 20", sizes: []int{1, 2}}, native)
	if err != nil || !slices.Equal(got, []sample{{1, 10}, {2, 20}}) {
		t.Errorf("figures of growth: %v, %v", got, err)
	}
	if _, err := b.script(row{script: "echo no luck >&2; false; echo 3"}, native); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("a script that fails: %v", err)
	}
}

func TestGrowthIsRelativeToNative(t *testing.T) {
	res := &result{row: row{sizes: []int{1, 100}}, figures: []map[int][]float64{
		{1: {10}, 100: {30, 20, 10}}, {1: {50, 50}, 100: {300}},
	}}
	if got := res.growth(1); got != 3 {
		t.Errorf("20/10 natively and 300/50 inside: %g, want 3", got)
	}
	res.figures[0] = map[int][]float64{1: {0}, 100: {0}}
	if got := res.growth(1); got != 6 {
		t.Errorf("nothing natively and 300/50 inside: %g, want 6", got)
	}
}
