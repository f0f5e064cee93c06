package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed guest/neighbour.c
var neighbourSource string

// neighbourRows are taken by ROWS=neighbour: how long a request to a small server in a container takes, alone and beside
// a container that does its worst within its limits.
func neighbourRows() []row {
	var rows []row
	for _, n := range []struct{ key, text string }{
		{"", "alone"}, {"flood", "beside one that floods its network"},
		{"fork", "beside one that forks without end"}, {"allocate", "beside one that allocates without end"},
	} {
		for i, p := range []string{"p50", "p99"} {
			rows = append(rows, row{
				key: "near" + n.key + p, text: "request to a container, " + p + ", " + n.text, unit: micro, rounds: 3,
				needs: []string{"runc", "ip"}, root: true, oci: true,
				measure: func(b *bench, rt *runtime) ([]sample, error) { return b.neighbour(rt, n.key, i) },
			})
		}
	}
	return rows
}

// What a bad neighbour may have.
const neighbourLimits = `{"cpu":{"quota":100000,"period":100000},"memory":{"limit":268435456},"pids":{"limit":64}}`

// What the asker does: it asks for seconds, once in a millisecond.
const (
	askSeconds = "2"
	askPause   = "1000"
)

// neighbour returns one of the figures that the asker prints.
func (b *bench) neighbour(rt *runtime, kind string, figure int) ([]sample, error) {
	n, err := newVeths(2)
	if err != nil {
		return nil, err
	}
	defer n.close()
	stop, err := b.container(rt, vethContainer{netns: n.box[0], args: []string{"/bench/neighbour", "serve", "7000"}})
	if err != nil {
		return nil, err
	}
	defer stop()
	if kind != "" {
		args := []string{"/bench/neighbour", kind}
		if kind == "flood" {
			args = append(args, vethHub(1))
		}
		stop, err := b.container(rt, vethContainer{netns: n.box[1], args: args, resources: neighbourLimits})
		if err != nil {
			return nil, err
		}
		defer stop()
		time.Sleep(time.Second) // until it has come up against its limits
	}
	return b.ask(n, figure)
}

// ask has the host's side of the first container ask its server.
func (b *bench) ask(n *veths, figure int) ([]sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), vethLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", n.hub,
		filepath.Join(b.dir, "neighbour"), "ask", vethBox(0), "7000", askSeconds, askPause).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ask: %v%s", err, tail(string(out)))
	}
	return askFigure(string(out), figure)
}

// askFigure takes a figure out of what the asker prints.
func askFigure(out string, figure int) ([]sample, error) {
	var p [2]float64
	if _, err := fmt.Sscan(out, &p[0], &p[1]); err != nil {
		return nil, fmt.Errorf("ask printed %q", strings.TrimSpace(out))
	}
	return []sample{{value: p[figure]}}, nil
}

// container starts a container and returns what ends it.
func (b *bench) container(rt *runtime, c vethContainer) (stop func(), err error) {
	program, err := b.ociProgram(rt)
	if err != nil {
		return nil, err
	}
	dir, err := b.vethBundle(c)
	if err != nil {
		return nil, err
	}
	state := filepath.Join(b.dir, "state-"+filepath.Base(program))
	id := fmt.Sprintf("bench-%d-%s-%d", os.Getpid(), filepath.Base(c.netns), time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(context.Background(), vethLimit)
	cmd := exec.CommandContext(ctx, program, "--root", state, "run", "--bundle", dir, id)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return func() {
		exec.Command(program, "--root", state, "kill", id, "KILL").Run() // it may have ended by itself
		cmd.Wait()
		cancel()
		exec.Command(program, "--root", state, "delete", "--force", id).Run()
	}, nil
}
