package overlay

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// TestAgainstModel makes random changes and compares with a map from path to
// contents; directories are "/".
func TestAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	e := newEnv(t)
	model := map[string]string{}
	fill(e.lower.root, "", 3, model)
	names := []string{"a", "b", "c", "d"}
	random := func() string {
		p := names[rnd.IntN(4)]
		for rnd.IntN(3) > 0 && strings.Count(p, "/") < 4 {
			p += "/" + names[rnd.IntN(4)]
		}
		return p
	}
	hasDir := func(p string) bool { return p == "." || model[p] == "/" }
	under := func(p string) (out []string) {
		for q := range model {
			if strings.HasPrefix(q, p+"/") {
				out = append(out, q)
			}
		}
		return out
	}
	for step := range 2000 {
		p, q := random(), random()
		if !hasDir(path.Dir(p)) {
			continue
		}
		v, have := model[p]
		switch rnd.IntN(6) {
		case 0, 1: // write or create a file
			s := fmt.Sprint(step)
			if have && v == "/" {
				continue
			}
			if !have {
				_, err := e.create(p, linux.S_IFREG|0o644)
				e.must(err)
			}
			e.write(e.get(p), s)
			model[p] = s
		case 2:
			if !have {
				_, err := e.create(p, linux.S_IFDIR|0o755)
				e.must(err)
				model[p] = "/"
			}
		case 3:
			if !have {
				continue
			}
			err := e.unlink(p)
			if v == "/" && len(under(p)) > 0 {
				e.want(err, linux.ENOTEMPTY)
				continue
			}
			e.must(err)
			delete(model, p)
		case 4: // rename
			w, there := model[q]
			if !have || !hasDir(path.Dir(q)) || q == p || len(under(p)) > 20 || strings.HasPrefix(q, p+"/") || strings.HasPrefix(p, q+"/") {
				continue
			}
			if there && (w == "/") != (v == "/") {
				continue // vfs refuses
			}
			err := e.rename(p, q, 0)
			if w == "/" && len(under(q)) > 0 {
				e.want(err, linux.ENOTEMPTY)
				continue
			}
			e.must(err)
			for _, c := range append(under(p), p) {
				model[q+c[len(p):]] = model[c]
				delete(model, c)
			}
		case 5: // forget what is cached
			if have {
				e.get(p).(vfs.Evicter).Evict()
			}
		}
		if step%400 == 0 {
			e.compare(model)
		}
	}
	e.compare(model)
}

// fill makes a tree in d.
func fill(d *memDir, at string, depth int, model map[string]string) {
	for _, n := range []string{"a", "b", "c"} {
		p := path.Join(at, n)
		if n == "c" || depth == 0 {
			d.file(n, "low "+p)
			model[p] = "low " + p
			continue
		}
		model[p] = "/"
		fill(d.dir(n), p, depth-1, model)
	}
}

func (e *env) compare(model map[string]string) {
	e.Helper()
	got := map[string]string{}
	var walk func(p string)
	walk = func(p string) {
		for _, n := range e.list(p) {
			q := path.Join(p, n)
			if _, ok := e.get(q).(vfs.Directory); ok {
				got[q] = "/"
				walk(q)
				continue
			}
			got[q] = e.read(q)
		}
	}
	walk(".")
	if !maps.Equal(got, model) {
		for p, v := range got {
			if model[p] != v {
				e.Errorf("%s is %q, want %q", p, v, model[p])
			}
		}
		for p := range model {
			if _, ok := got[p]; !ok {
				e.Errorf("%s is missing", p)
			}
		}
		e.FailNow()
	}
}
