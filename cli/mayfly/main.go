// Command mayfly is a self-hosted edge functions runtime and its tools.
package main

import (
	"os"

	"github.com/mayfly-run/mayfly/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
