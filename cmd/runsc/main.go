// Command runsc is cordon's OCI runtime, and every process of a sandbox.
package main

import (
	"os"

	"cordon/runsc/cli"
	"cordon/runsc/kernel"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], kernel.New))
}
