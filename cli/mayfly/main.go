// Command mayfly is a self-hosted edge functions runtime and its tools.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mayfly-run/mayfly/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
