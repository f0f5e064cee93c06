package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"
	"time"
)

func growthTable(r row) bool { return len(r.sizes) > 0 }

// head is the heading of the table that a row stands in.
func (b *bench) head(r row) string {
	head := "| operation | native | cordon | ratio | bar |"
	if growthTable(r) {
		head = "| operation, from few to many | native | cordon | ratio at few | ratio at many | grows faster by | bar |"
	}
	if r.oci {
		head = strings.Replace(head, "native", "runc", 1)
	}
	if len(b.runtimes) > 2 {
		head += " peer | ratio |"
		if growthTable(r) {
			head = strings.TrimSuffix(head, " ratio |") + " grows faster by |"
		}
	}
	return head
}

func (b *bench) printHead(r row) {
	head := b.head(r)
	fmt.Printf("\n%s\n%s|\n", head, strings.Repeat("|---", strings.Count(head, "|")-1))
}

func (b *bench) print(res *result) {
	r := res.row
	switch {
	case res.skipped != "":
		fmt.Printf("| %s | skipped: %s |\n", r.text, res.skipped)
	case res.err != nil:
		fmt.Printf("| %s | failed: %s |\n", r.text, strings.ReplaceAll(res.err.Error(), "|", "/"))
	case growthTable(r):
		b.printGrowth(res)
	default:
		native, cordon := res.median(0, 0), res.median(1, 0)
		fmt.Printf("| %s | %s | %s | %s | %s |", r.text, r.format(native), r.format(cordon), ratioText(cordon, native), r.verdict(native, cordon))
		if len(b.runtimes) > 2 {
			if res.peerErr != nil {
				fmt.Printf(" failed | |")
			} else {
				p := res.median(2, 0)
				fmt.Printf(" %s | %s |", r.format(p), ratioText(p, native))
			}
		}
		fmt.Println()
	}
}

func (b *bench) printGrowth(res *result) {
	r := res.row
	few, many := r.sizes[0], r.sizes[len(r.sizes)-1]
	span := func(i int) string {
		return r.format(res.median(i, few)) + " to " + r.format(res.median(i, many))
	}
	verdict := fmt.Sprintf("%gx", float64(growthBar))
	if res.growth(1) > growthBar {
		verdict += ", missed"
	}
	fmt.Printf("| %s: %d to %d | %s | %s | %s | %s | %.2f | %s |", r.text, few, many, span(0), span(1),
		ratioText(res.median(1, few), res.median(0, few)), ratioText(res.median(1, many), res.median(0, many)), res.growth(1), verdict)
	if len(b.runtimes) > 2 {
		if res.peerErr != nil {
			fmt.Printf(" failed | |")
		} else {
			fmt.Printf(" %s | %.2f |", span(2), res.growth(2))
		}
	}
	fmt.Println()
}

// growth is how much faster than natively a cost grows over the row's sizes. What
// costs nothing natively does not grow there.
func (res *result) growth(i int) float64 {
	native := 1.0
	if res.over(0) > 0 {
		native = res.over(0)
	}
	return res.over(i) / native
}

// over is the cost at the largest size over that at the smallest, 0 if there is
// none.
func (res *result) over(i int) float64 {
	few, many := res.row.sizes[0], res.row.sizes[len(res.row.sizes)-1]
	if res.median(i, few) == 0 {
		return 0
	}
	return res.median(i, many) / res.median(i, few)
}

func (res *result) median(i, at int) float64 { return median(res.figures[i][at]) }

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

func ratioText(v, native float64) string {
	if native == 0 {
		return ""
	}
	if v < native {
		return fmt.Sprintf("%.2f", v/native)
	}
	return fmt.Sprintf("%.1f", v/native)
}

func (r *row) format(v float64) string { return fmt.Sprintf("%.3g %s", v/r.unit.by, r.unit.name) }

// goal is the row's bar on the platform that runs.
func (r *row) goal() bar {
	if *platform == "ptrace" {
		return r.ptrace
	}
	return r.bar
}

// met says whether the row reaches its bar; a row without one does.
func (r *row) met(native, cordon float64) bool {
	g := r.goal()
	got, want := cordon, g.value
	if g.ratio != 0 {
		got, want = cordon/native, g.ratio
	}
	return want == 0 || got == want || (got > want) == r.unit.more
}

func (r *row) verdict(native, cordon float64) string {
	g := r.goal()
	var text string
	switch {
	case g.ratio != 0:
		text = fmt.Sprintf("%gx", g.ratio)
	case g.value != 0:
		text = r.format(g.value)
	default:
		return ""
	}
	if r.unit.more {
		text = "at least " + text
	}
	if !r.met(native, cordon) {
		text += ", missed"
	}
	return text
}

// A report is the run as JSON: the medians and every figure behind them, in
// nanoseconds, bytes, per second or bit/s.
type report struct {
	Time     time.Time   `json:"time"`
	Kernel   string      `json:"kernel"`
	CPUs     int         `json:"cpus"`
	LoadAvg  string      `json:"load_average_at_end"`
	Platform string      `json:"platform,omitempty"`
	Rounds   int         `json:"rounds"`
	Rows     []reportRow `json:"rows"`
}

type reportRow struct {
	Key     string                       `json:"key"`
	Text    string                       `json:"text"`
	Unit    string                       `json:"unit"`
	Skipped string                       `json:"skipped,omitempty"`
	Error   string                       `json:"error,omitempty"`
	Median  map[string]float64           `json:"median,omitempty"`
	Ratio   float64                      `json:"ratio,omitempty"`
	Growth  float64                      `json:"growth,omitempty"`
	Bar     string                       `json:"bar,omitempty"`
	Met     *bool                        `json:"met,omitempty"`
	Figures map[string]map[int][]float64 `json:"figures"`
}

func (b *bench) writeJSON(path string, all []*result) error {
	rep := report{Time: time.Now(), CPUs: goruntime.NumCPU(), Platform: *platform, Rounds: *rounds}
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		rep.Kernel = strings.TrimSpace(string(out))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		rep.LoadAvg = strings.TrimSpace(string(load))
	}
	for _, res := range all {
		rep.Rows = append(rep.Rows, b.reportRow(res))
	}
	data, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func (b *bench) reportRow(res *result) reportRow {
	r := res.row
	out := reportRow{Key: r.key, Text: r.text, Unit: r.unit.name, Skipped: res.skipped, Figures: map[string]map[int][]float64{}}
	for i, rt := range b.runtimes {
		out.Figures[rt.name] = res.figures[i]
	}
	switch {
	case res.err != nil:
		out.Error = res.err.Error()
	case res.skipped != "":
	case growthTable(r):
		met := res.growth(1) <= growthBar
		out.Growth, out.Met = res.growth(1), &met
	default:
		out.Median = map[string]float64{}
		for i, rt := range b.runtimes {
			out.Median[rt.name] = res.median(i, 0)
		}
		native, cordon := res.median(0, 0), res.median(1, 0)
		if native != 0 {
			out.Ratio = cordon / native
		}
		if out.Bar = strings.TrimSuffix(r.verdict(native, cordon), ", missed"); out.Bar != "" {
			met := r.met(native, cordon)
			out.Met = &met
		}
	}
	return out
}
