// Peers measures Mayfly and its peers with the same guests in one run, and
// writes a table. run.sh builds and fetches what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	mayfly, bare, workerd, wizer string // programs
	commit, out                  string
	rounds                       int
	seconds                      float64
}

func parse() (o options) {
	flag.StringVar(&o.mayfly, "mayfly", "bin/mayfly", "the program of Mayfly")
	flag.StringVar(&o.bare, "bare", "bin/bare", "the program of package bare")
	flag.StringVar(&o.workerd, "workerd", "", "the program workerd")
	flag.StringVar(&o.wizer, "wizer", "", "the program wizer")
	flag.StringVar(&o.commit, "commit", "unknown", "what of Mayfly is measured")
	flag.StringVar(&o.out, "out", "../results/peers.txt", "where to write the table")
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	flag.Float64Var(&o.seconds, "seconds", 3, "for how long a server is loaded in each round; an engine runs for a quarter of it")
	flag.Parse()
	return o
}

// serverTime is how long a server is loaded in each round.
func (o options) serverTime() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// engineTime is how long an engine runs in each round. It has one request at a
// time and settles sooner.
func (o options) engineTime() time.Duration { return o.serverTime() / 4 }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, parse())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}
