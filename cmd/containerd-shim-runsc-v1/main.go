// Command containerd-shim-runsc-v1 is the shim by which containerd runs
// containers in runsc.
package main

import (
	"os"

	"cordon/runsc/shim"
)

func main() { os.Exit(shim.Main(os.Args[1:])) }
