package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/filter"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func listCommand() *command {
	return &command{
		name: "list", args: "[flags]", summary: "list containers",
		examples: []string{"runsc list", "runsc list --format json", "runsc list -q"}, maxArgs: 0,
		flags: func(fs *flag.FlagSet) runner {
			var format string
			var quiet bool
			both(fs.StringVar, &format, "format", "f", "table", "`FORMAT`: table or json")
			both(fs.BoolVar, &quiet, "quiet", "q", false, "print identifiers only")
			return func(g *globals, _ []string) (int, error) { return 0, listContainers(g, format, quiet) }
		},
	}
}

func listContainers(g *globals, format string, quiet bool) error {
	all, err := g.store().ListAll(func(err error) { g.logger.warn(err.Error()) })
	if err != nil {
		return err
	}
	if quiet {
		for _, c := range all {
			fmt.Println(c.State.ID)
		}
		return nil
	}
	views := make([]stateView, len(all))
	for i, c := range all {
		views[i] = view(c)
	}
	switch format {
	case "json":
		return json.NewEncoder(os.Stdout).Encode(views)
	case "table":
		w := tabwriter.NewWriter(os.Stdout, 12, 1, 3, ' ', 0)
		fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
		for _, v := range views {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", v.ID, v.PID, v.Status, v.Bundle, v.Created.Format(time.RFC3339Nano), v.Owner)
		}
		return w.Flush()
	}
	return fmt.Errorf("invalid format option")
}

func debugCommand() *command {
	return &command{
		name: "debug", args: "filters | stacks ID | ps ID", summary: "look into a sandbox, or print the system call tables",
		examples: []string{"runsc debug filters", "runsc debug stacks web", "runsc debug ps do-1234"},
		minArgs:  1, maxArgs: 2,
		flags: func(*flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) { return 0, debug(g, args) }
		},
	}
}

func debug(g *globals, args []string) error {
	switch {
	case args[0] == "filters" && len(args) == 1:
		return filter.Print(os.Stdout, filter.Sentry(filter.Mode{}), filter.Gofer(), filter.Broker(), filter.Switch(), filter.Stub(), filter.TracedStub())
	case args[0] == "ps" && len(args) == 2:
		return ps(g, args[1], "table", nil)
	case args[0] == "stacks" && len(args) == 2:
		c, err := g.store().Load(args[1])
		if err != nil {
			return err
		}
		var text string
		if err := c.Call(boot.OpStacks, nil, &text); err != nil {
			return err
		}
		fmt.Print(text)
		return nil
	}
	return fmt.Errorf("debug: %q is none of: filters, stacks ID, ps ID", strings.Join(args, " "))
}

func featuresCommand() *command {
	return &command{
		name: "features", args: "", summary: "print what this runtime supports as JSON",
		examples: []string{"runsc features"}, maxArgs: 0,
		flags: func(*flag.FlagSet) runner {
			return func(*globals, []string) (int, error) {
				data, err := indented(supported())
				if err == nil {
					_, err = os.Stdout.Write(data)
				}
				return 0, err
			}
		},
	}
}

func supported() *features.Features {
	yes, no := true, false
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		MountOptions:  spec.MountOptions(),
		Linux: &features.Linux{
			Namespaces:   []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"},
			Capabilities: spec.Capabilities(),
			Cgroup:       &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &no, Rdma: &no},
			Seccomp: &features.Seccomp{
				Enabled: &yes,
				Actions: []string{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
					"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"},
				Operators:      []string{"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"},
				Archs:          []string{"SCMP_ARCH_X86_64"},
				KnownFlags:     []string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
				SupportedFlags: []string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"},
			},
			Apparmor:        &features.Apparmor{Enabled: &no},
			Selinux:         &features.Selinux{Enabled: &no},
			IntelRdt:        &features.IntelRdt{Enabled: &no, Schemata: &no, Monitoring: &no},
			MemoryPolicy:    &features.MemoryPolicy{},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
			NetDevices:      &features.NetDevices{Enabled: &no},
		},
		Annotations:                        map[string]string{"cordon.version": Version},
		PotentiallyUnsafeConfigAnnotations: []string{"org.systemd.property."},
	}
}
