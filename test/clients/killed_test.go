package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A direct is runsc without a client above it.
type direct struct {
	*world
	root, bundle string
}

func newDirect(t *testing.T) *direct {
	t.Helper()
	w := newWorld(t)
	d := &direct{w, filepath.Join(w.dir, "state"), filepath.Join(w.dir, "bundle")}
	w.rootfs()
	if err := os.Mkdir(d.bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	w.must(w.runsc, "spec", "--bundle", d.bundle)
	d.configure(func(c map[string]any) {
		c["root"] = map[string]any{"path": w.rootfs()}
		p := c["process"].(map[string]any)
		p["terminal"], p["args"] = false, []string{"sleep", "1000"}
		l := c["linux"].(map[string]any)
		l["cgroupsPath"] = "/" + w.name + "/c"
		l["resources"] = map[string]any{"memory": map[string]any{"limit": 256 << 20}}
	})
	return d
}

// configure edits the bundle's configuration.
func (d *direct) configure(change func(map[string]any)) {
	d.Helper()
	path := filepath.Join(d.bundle, "config.json")
	data, err := os.ReadFile(path)
	var c map[string]any
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		d.Fatal(err)
	}
	change(c)
	d.write(path, string(d.json(c)))
}

// args is a command of runsc.
func (d *direct) args(args ...string) []string {
	return append([]string{d.runsc, "--root", d.root}, args...)
}

// detached is args for a command whose container would keep the test's pipes.
func (d *direct) detached(args ...string) []string {
	return append([]string{"sh", "-c", `exec "$@" </dev/null >` + d.dir + `/out 2>` + d.dir + `/err`, "sh"}, d.args(args...)...)
}

// A victim is a process of a container.
type victim string

// The victims.
const (
	theContainer victim = "boot" // as state.json calls them
	theSentry    victim = "sentry"
	theGofer     victim = "gofer"
	theHerald    victim = "herald"
)

// find is a victim's pid in the world, 0 if there is none.
func (d *direct) find(id string, v victim) int {
	if v == theHerald {
		for _, pid := range d.pids() {
			if text := d.describe(pid); strings.HasSuffix(text, ": runsc herald") {
				return pid
			}
		}
		return 0
	}
	var state map[string]json.RawMessage
	data, err := os.ReadFile(filepath.Join(d.root, id, "state.json"))
	if err != nil || json.Unmarshal(data, &state) != nil {
		return 0
	}
	var p struct{ PID int }
	_ = json.Unmarshal(state[string(v)], &p) // none yet
	return p.PID
}

func (d *direct) kill(id string, v victim) {
	d.Helper()
	pid := d.find(id, v)
	if pid == 0 {
		d.Fatalf("there is no %s", v)
	}
	d.must("kill", "-KILL", strconv.Itoa(pid))
}

// status is what `state` says, or empty.
func (d *direct) status(id string) string {
	d.Helper()
	var s struct{ Status string }
	r := d.run(d.args("state", id)...)
	_ = json.Unmarshal([]byte(r.stdout), &s) // of nothing: it is not there
	return s.Status
}

// oneLine fails unless a command has failed with one line.
func (d *direct) oneLine(what string, r result) {
	d.Helper()
	if r.code == 0 || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "runsc: ") {
		d.Errorf("%s: %v; want a failure of one line", what, r)
	}
}

// on is the same for a test below.
func (d *direct) on(t *testing.T) *direct {
	w := *d.world
	w.T = t
	return &direct{&w, d.root, d.bundle}
}

// left fails for what a deleted container has left.
func (d *direct) left() {
	d.Helper()
	d.gone("processes", d.processes)
	d.gone("cgroups", d.cgroups)
	entries, _ := os.ReadDir(d.root)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") {
			continue // what had no name yet is cleared away later
		}
		d.Errorf("%s is left", filepath.Join(d.root, e.Name()))
	}
}

// TestKilled kills each process of a container at each step of its life: it is stopped
// then, commands say so in a line, and nothing is left of it when it is deleted.
func TestKilled(t *testing.T) {
	all := newDirect(t)
	const id = "c"
	for _, v := range []victim{theContainer, theSentry, theGofer} {
		for _, step := range []string{"created", "running", "during exec", "during delete"} {
			t.Run(string(v)+" "+step, func(t *testing.T) {
				d := all.on(t)
				d.must(d.detached("create", "--bundle", d.bundle, id)...)
				if step != "created" {
					d.must(d.args("start", id)...)
				}
				switch step {
				case "during exec":
					var exec result
					var err error
					var done sync.WaitGroup
					done.Go(func() { exec, err = d.try(commandTimeout, "", d.args("exec", id, "sleep", "500")...) })
					d.eventually("the command runs", func() bool { return strings.Contains(d.run(d.args("ps", id)...).stdout, "sleep 500") })
					d.kill(id, v)
					done.Wait()
					if err != nil || exec.code != 137 {
						t.Errorf("the command: %v, %v", exec, err)
					}
				case "during delete":
					var done sync.WaitGroup
					pid := strconv.Itoa(d.find(id, v))
					done.Go(func() { d.try(commandTimeout, "", "kill", "-KILL", pid) }) // it may be gone
					d.must(d.args("delete", "--force", id)...)
					done.Wait()
					d.left()
					return
				default:
					d.kill(id, v)
				}
				d.eventually("it is stopped", func() bool { return d.status(id) == "stopped" })
				for _, command := range [][]string{{"start", id}, {"kill", id, "TERM"}, {"exec", id, "true"}, {"pause", id}} {
					d.oneLine(command[0], d.run(d.args(command...)...))
				}
				d.must(d.args("delete", id)...)
				d.left()
			})
		}
	}
	t.Run("herald running", func(t *testing.T) {
		d := all.on(t)
		d.must(d.detached("run", "-d", "--bundle", d.bundle, id)...)
		d.kill(id, theHerald)
		d.expect(0, "on", d.args("exec", id, "echo", "on")...)
		d.must(d.args("kill", id, "KILL")...)
		d.eventually("it is stopped", func() bool { return d.status(id) == "stopped" })
		d.must(d.args("delete", id)...)
		d.left()
	})
}

// TestKilledWhileMade kills a process of a container, or the command that makes it, at
// many moments of `create`.
func TestKilledWhileMade(t *testing.T) {
	all := newDirect(t)
	const id, moments = "c", 12
	for _, v := range []victim{theContainer, theSentry, theGofer, "command"} {
		t.Run(string(v), func(t *testing.T) {
			d := all.on(t)
			for i := range moments {
				pause := time.Duration(i) * 4 * time.Millisecond
				// Of no group of its own, so that its number is known.
				script := fmt.Sprintf(`"$@" </dev/null >%[1]s/out 2>%[1]s/err & echo $! >%[1]s/pid; wait $!`, d.dir)
				var made result
				var err error
				var done sync.WaitGroup
				os.Remove(filepath.Join(d.dir, "pid"))
				done.Go(func() {
					made, err = d.try(commandTimeout, "", append([]string{"sh", "-c", script, "sh"}, d.args("create", "--bundle", d.bundle, id)...)...)
				})
				find := func() int {
					if v != "command" {
						return d.find(id, v)
					}
					data, _ := os.ReadFile(filepath.Join(d.dir, "pid"))
					pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
					return pid
				}
				d.eventually("there is a process", func() bool { return find() != 0 })
				time.Sleep(pause) // another moment each time
				d.run("kill", "-KILL", strconv.Itoa(find()))
				done.Wait()
				if err != nil {
					t.Fatalf("create: %v", err)
				}
				if text, _ := os.ReadFile(filepath.Join(d.dir, "err")); made.code != 0 && v != "command" {
					made.stderr = string(text)
					d.oneLine("create", made)
				}
				d.eventually("it is stopped, or not there", func() bool {
					s := d.status(id)
					return s == "stopped" || s == "" || v == "command" && s == "created"
				})
				d.must(d.args("delete", "--force", id)...)
				d.left()
			}
		})
	}
}

// TestRaces has commands of one container meet in any order.
func TestRaces(t *testing.T) {
	d := newDirect(t)
	const rounds = 40
	for i := range rounds {
		id := fmt.Sprintf("c%d", i)
		d.must(d.detached("create", "--bundle", d.bundle, id)...)
		var all sync.WaitGroup
		for _, command := range [][]string{{"start", id}, {"exec", id, "true"}, {"state", id}, {"kill", id, "KILL"}, {"start", id}, {"delete", "--force", id}, {"list"}, {"delete", id}} {
			all.Go(func() {
				r, err := d.try(commandTimeout, "", d.args(command...)...)
				if err != nil || strings.Count(r.stderr, "\n") > 1 {
					d.Errorf("%q: %v, %v", command, r, err)
				}
			})
		}
		all.Wait()
		d.must(d.args("delete", "--force", id)...)
		d.left()
	}
}
