package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"

	"cordon/runsc/boot"
	"cordon/runsc/network"

	"golang.org/x/sys/unix"
)

// networks are those beside the containers' states.
func (g *globals) networks() *network.Networks {
	return &network.Networks{Dir: filepath.Join(g.root, ".networks")}
}

// switchCommand is the process that a network between sandboxes is; package network starts it.
func switchCommand() *command {
	return &command{name: "switch", hidden: true, summary: "the process of a network between sandboxes", flags: func(*flag.FlagSet) runner {
		return func(*globals, []string) (int, error) { return network.SwitchMain(), nil }
	}}
}

// networkCommand is `network`.
func networkCommand() *command {
	return &command{
		name: "network", args: "create|ls|rm|connect|watch [flags] [NAME] [CONTAINER[:ADDR,...]]",
		summary: "networks between sandboxes, on a switch in user space",
		examples: []string{
			"runsc network create lan --subnet 10.1.0.0/24",
			"runsc do --net lan:10.1.0.2/24 ping -c 1 10.1.0.3",
			"runsc network connect lan web:10.1.0.9/24",
			"runsc network watch lan | jq .",
			"runsc network rm lan",
		},
		minArgs: 1, maxArgs: -1,
		flags: func(fs *flag.FlagSet) runner {
			return func(g *globals, args []string) (int, error) { return 0, g.runNetwork(args[0], args[1:]) }
		},
	}
}

// runNetwork is one of `network`'s commands, whose flags may stand behind its name.
func (g *globals) runNetwork(verb string, args []string) error {
	fs := newFlagSet("network " + verb)
	var info network.NetworkInfo
	var mtu uint
	var force, asJSON, quiet bool
	switch verb {
	case "create":
		fs.StringVar(&info.Subnet, "subnet", "", "")
		fs.UintVar(&mtu, "mtu", 0, "")
	case "ls", "list":
		fs.BoolVar(&asJSON, "json", false, "")
		fs.BoolVar(&quiet, "q", false, "")
	case "rm", "remove":
		both(fs.BoolVar, &force, "force", "f", false, "")
	}
	var words []string
	for rest := args; ; {
		if err := fs.Parse(rest); err != nil {
			return fmt.Errorf("network %s: %w", verb, err)
		}
		if fs.NArg() == 0 {
			break
		}
		words, rest = append(words, fs.Arg(0)), fs.Args()[1:]
	}
	n := g.networks()
	switch {
	case verb == "create" && len(words) == 1:
		info.Name, info.MTU = words[0], uint32(mtu)
		return n.Create(info, !g.noFilter)
	case (verb == "ls" || verb == "list") && len(words) == 0:
		return listNetworks(n, asJSON, quiet)
	case (verb == "rm" || verb == "remove") && len(words) > 0:
		for _, name := range words {
			if err := n.Remove(name, force); err != nil {
				return err
			}
		}
		return nil
	case verb == "connect" && len(words) == 2:
		return g.connect(n, words[0], words[1])
	case verb == "watch":
		return watchNetworks(n, words)
	}
	return fmt.Errorf("network: expected create NAME [--subnet CIDR] [--mtu N], ls [--json] [-q], rm [-f] NAME..., connect NAME CONTAINER[:ADDR,...] or watch [NAME...]")
}

func listNetworks(n *network.Networks, asJSON, quiet bool) error {
	all, err := n.List()
	if err != nil {
		return err
	}
	if asJSON {
		if all == nil {
			all = []network.NetworkInfo{}
		}
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	if !quiet {
		fmt.Fprintln(w, "NAME\tSUBNET\tNODES")
	}
	for _, i := range all {
		if quiet {
			fmt.Fprintln(w, i.Name)
			continue
		}
		var nodes []string
		for _, node := range i.Nodes {
			nodes = append(nodes, node.Name+"="+strings.Join(node.Addrs, ","))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", i.Name, i.Subnet, strings.Join(nodes, " "))
	}
	return w.Flush()
}

// connect gives a running sandbox an interface on a network.
func (g *globals) connect(n *network.Networks, name, node string) error {
	id, list, given := strings.Cut(node, ":")
	var addrs []netip.Prefix
	if given {
		var err error
		if _, addrs, err = network.ParseNode(name + ":" + list); err != nil {
			return err
		}
	}
	c, err := g.store().Load(id)
	if err != nil {
		return err
	}
	l, fd, err := n.Join(name, id, "", addrs)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return c.Call(boot.OpConnect, l, nil, fd)
}

// watchNetworks prints what goes over the networks, all if none is named, until they have gone.
func watchNetworks(n *network.Networks, names []string) error {
	if len(names) == 0 {
		all, err := n.List()
		if err != nil {
			return err
		}
		for _, i := range all {
			names = append(names, i.Name)
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		wg.Go(func() {
			errs[i] = n.Watch(name, func(line []byte) {
				mu.Lock()
				defer mu.Unlock()
				os.Stdout.Write(append(line, '\n'))
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A nodeFlag is one --net.
type nodeFlag struct {
	name  string
	addrs []netip.Prefix
}

// joinNetworks adds the interfaces of --net to a network: eth0 and on, behind what is there.
func joinNetworks(g *globals, n *boot.Network, node string, nodes []nodeFlag) error {
	first := len(n.Links)
	if n.Gateway != nil {
		first++
	}
	for i, f := range nodes {
		l, fd, err := g.networks().Join(f.name, node, fmt.Sprintf("eth%d", first+i), f.addrs)
		if err != nil {
			return err
		}
		l.FD = n.Add(fd)
		n.Links = append(n.Links, *l)
	}
	return nil
}
