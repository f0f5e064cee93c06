package vfstest

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
)

// model does random things to a small tree and to a map, which must agree.
func model(w *World) {
	seed := rand.Uint64()
	w.T.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 7))
	c := w.Root
	files := map[string]string{}
	dirs := map[string]bool{"": true}
	pick := func() string {
		p := ""
		for range 1 + rnd.IntN(3) {
			p += fmt.Sprintf("/%c", 'a'+rune(rnd.IntN(3)))
		}
		return p
	}
	parent := func(p string) string { return p[:strings.LastIndexByte(p, '/')] }
	empty := func(p string) bool {
		for k := range files {
			if strings.HasPrefix(k, p+"/") {
				return false
			}
		}
		for k := range dirs {
			if strings.HasPrefix(k, p+"/") {
				return false
			}
		}
		return true
	}
	for range 1500 {
		p, q := pick(), pick()
		_, isFile := files[p]
		switch rnd.IntN(5) {
		case 0:
			ok := dirs[parent(p)] && !dirs[p] && !isFile
			if (w.Mkdir(c, p, 0o755) == nil) != ok {
				w.T.Fatalf("mkdir %s: want %v", p, ok)
			}
			if ok {
				dirs[p] = true
			}
		case 1:
			if dirs[parent(p)] && !dirs[p] {
				files[p] = fmt.Sprint(rnd.Uint32())
				w.Write(c, p, files[p])
			}
		case 2:
			if (w.Unlink(c, p) == nil) != isFile {
				w.T.Fatalf("unlink %s: want %v", p, isFile)
			}
			delete(files, p)
		case 3:
			ok := dirs[p] && empty(p)
			if (w.Rmdir(c, p) == nil) != ok {
				w.T.Fatalf("rmdir %s: want %v", p, ok)
			}
			if ok {
				delete(dirs, p)
			}
		case 4:
			ok := renamed(p, q, files, dirs, empty, parent)
			if err := w.Rename(c, p, q); (err == nil) != ok {
				w.T.Fatalf("rename %s %s: %v, want %v", p, q, err, ok)
			}
		}
	}
	compare(w, files, dirs, parent)
}

// compare holds the tree against the model.
func compare(w *World, files map[string]string, dirs map[string]bool, parent func(string) string) {
	c := w.Root
	for p, text := range files {
		if got := w.Read(c, p); got != text {
			w.T.Fatalf("%s reads %q, want %q", p, got, text)
		}
	}
	for p := range dirs {
		var want, got []string
		for k := range files {
			if parent(k) == p {
				want = append(want, k[len(p)+1:])
			}
		}
		for k := range dirs {
			if k != "" && parent(k) == p {
				want = append(want, k[len(p)+1:])
			}
		}
		for k := range w.Names(c, p+"/") {
			got = append(got, k)
		}
		sort.Strings(want)
		sort.Strings(got)
		if fmt.Sprint(want) != fmt.Sprint(got) {
			w.T.Fatalf("%s lists %v, want %v", p, got, want)
		}
	}
}

// renamed does to the model what rename(2) would and says whether it works.
func renamed(p, q string, files map[string]string, dirs map[string]bool, empty func(string) bool, parent func(string) string) bool {
	text, isFile := files[p]
	_, toFile := files[q]
	if !dirs[parent(q)] || !isFile && !dirs[p] {
		return false
	}
	if p == q {
		return true
	}
	if isFile {
		if dirs[q] {
			return false
		}
		delete(files, p)
		files[q] = text
		return true
	}
	if toFile || strings.HasPrefix(q, p+"/") || dirs[q] && !empty(q) {
		return false
	}
	for k, v := range files {
		if strings.HasPrefix(k, p+"/") {
			delete(files, k)
			files[q+k[len(p):]] = v
		}
	}
	var move []string
	for k := range dirs {
		if k == p || strings.HasPrefix(k, p+"/") {
			move = append(move, k)
		}
	}
	for _, k := range move {
		delete(dirs, k)
		dirs[q+k[len(p):]] = true
	}
	return true
}
