package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"cordon/runsc/cgroup"
	"cordon/runsc/container"
)

// oomInterval is how often a container's end and its out-of-memory kills are
// looked for.
const oomInterval = 200 * time.Millisecond

func eventsCommand() *command {
	return &command{
		name: "events", args: "[flags] ID", summary: "print what a container uses, and when it runs out of memory, as JSON",
		examples: []string{"runsc events --stats web", "runsc events --interval 10s web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			interval := fs.Duration("interval", 5*time.Second, "`DURATION` between two lines of statistics")
			once := fs.Bool("stats", false, "print statistics once and end")
			return func(g *globals, args []string) (int, error) { return 0, events(g, args[0], *interval, *once) }
		},
	}
}

func events(g *globals, id string, interval time.Duration, once bool) error {
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	if interval <= 0 {
		return errors.New("duration interval must be greater than 0")
	}
	if c.Status() == "stopped" {
		return fmt.Errorf("container with id %s is not running", id)
	}
	out := json.NewEncoder(os.Stdout)
	if once {
		return printStats(out, c)
	}
	kills, err := c.OOMKills()
	counted := err == nil
	var last time.Time
	for c.State.Boot.Alive() {
		if time.Since(last) >= interval {
			last = time.Now()
			if err := printStats(out, c); err != nil {
				g.logger.warn(err.Error())
			}
		}
		if now, err := c.OOMKills(); counted && err == nil && now > kills {
			kills = now
			if err := out.Encode(cgroup.Event{Type: "oom", ID: id}); err != nil {
				return err
			}
		}
		time.Sleep(min(interval, oomInterval))
	}
	return nil
}

// printStats prints one line.
func printStats(out *json.Encoder, c *container.Container) error {
	s, err := c.Stats()
	if err != nil {
		return err
	}
	return out.Encode(cgroup.Event{Type: "stats", ID: c.State.ID, Data: s})
}
