package cli

import (
	"flag"

	"cordon/runsc/boot"
	"cordon/runsc/sandbox"
)

// commands is the table of all commands, in the order help shows them.
func commands() []*command {
	return []*command{
		doCommand(),
		createCommand(), startCommand(), runCommand(), execCommand(), killCommand(), deleteCommand(),
		pauseCommand("pause", "stop all code of a container", boot.OpPause, "running"),
		pauseCommand("resume", "let a paused container go on", boot.OpResume, "paused"),
		stateCommand(), listCommand(), psCommand(), eventsCommand(), updateCommand(), checkpointCommand(), restoreCommand(), specCommand(), featuresCommand(), networkCommand(), debugCommand(),
		bootCommand(), goferCommand(), netCommand(), switchCommand(), monitorCommand(),
	}
}

// bootCommand and goferCommand are the two processes of a sandbox; package
// sandbox starts them.
func bootCommand() *command {
	return &command{name: "boot", hidden: true, summary: "the Sentry's process; arguments are for show", maxArgs: -1, flags: func(*flag.FlagSet) runner {
		return func(g *globals, _ []string) (int, error) { return boot.Main(g.newKernel), nil }
	}}
}

func goferCommand() *command {
	return &command{name: "gofer", hidden: true, summary: "the gofer's process", maxArgs: -1, flags: func(*flag.FlagSet) runner {
		return func(_ *globals, args []string) (int, error) { return sandbox.GoferMain(args), nil }
	}}
}
