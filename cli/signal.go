package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main is Run for a process: the first interrupt or SIGTERM ends the context,
// the second the process.
func Main(args []string, stdio Stdio) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Room for both, so that none is lost however close they come.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		cancel()
		second := <-signals
		os.Exit(exitSignal + int(second.(syscall.Signal)))
	}()
	return Run(ctx, args, stdio)
}
