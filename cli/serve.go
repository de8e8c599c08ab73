package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
)

type serveCommand struct {
	stdio                       Stdio
	data, listen, admin, config string
	clusterURL, peers           []string
	clusterListen               string
}

func newServe(stdio Stdio) *cobra.Command {
	s := &serveCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "serve --data DIR",
		Example: "  mayfly serve --data data\n  mayfly serve --data data --config node.toml",
		Short:   "Run a node",
		Long: `Serve runs a node that keeps everything in the data directory. When it is ready
it prints one line to standard output:

    ready http=HOST:PORT admin=HOST:PORT

with https=HOST:PORT behind it if its configuration has [tls]. Logs go to standard
error. The admin token is made on first start, in DIR/admin.token. SIGTERM or an
interrupt lets requests that are under way finish, for 30 seconds at most
(drain_seconds in the configuration); a second one ends the node at once.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c) },
	}
	f := c.Flags()
	f.StringVar(&s.data, "data", "", "directory for everything the node keeps; made if missing")
	f.StringVar(&s.listen, "listen", "", "address for requests to Functions; port 0 picks one (default 127.0.0.1:8080)")
	f.StringVar(&s.admin, "admin", "", "address for the API; port 0 picks one (default 127.0.0.1:8788)")
	f.StringVar(&s.config, "config", "", "the node's configuration file (TOML); flags go before it")
	f.StringSliceVar(&s.clusterURL, "cluster-url", nil, "URL of the NATS servers by which nodes share everything; several with commas")
	f.StringVar(&s.clusterListen, "cluster-listen", "", "address for the other nodes, if a NATS server is to run in each; needs --peers")
	f.StringSliceVar(&s.peers, "peers", nil, "the --cluster-listen of all nodes, this one too, with commas")
	return c
}

func (s *serveCommand) run(c *cobra.Command) error {
	cfg, err := s.settings(c)
	if err != nil {
		return err
	}
	cfg.Compile, cfg.Worker, cfg.AheadOfJavaScript = s.stdio.Self, s.stdio.Worker, true
	n, err := node.Start(c.Context(), cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.stdio.Out, readyLine(n))
	reloadOnHangup(c.Context(), n)
	cfg.Logger.Info("draining; a second signal ends the node at once")
	return drain(n)
}

func readyLine(n *node.Node) string {
	line := fmt.Sprintf("ready http=%s admin=%s", n.HTTPAddr(), n.AdminAddr())
	if n.HTTPSAddr() != "" {
		line += " https=" + n.HTTPSAddr()
	}
	return line
}

// reloadOnHangup reads certificates again at each SIGHUP until ctx ends. Without TLS
// it leaves the signal alone, which ends a process whose terminal is closed.
func reloadOnHangup(ctx context.Context, n *node.Node) {
	hangups := make(chan os.Signal, 1)
	if n.HTTPSAddr() != "" {
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
	}
	for {
		select {
		case <-hangups:
			n.Reload()
		case <-ctx.Done():
			return
		}
	}
}

// settings are the file's with the flags over them.
func (s *serveCommand) settings(c *cobra.Command) (cfg node.Config, err error) {
	if s.config != "" {
		if cfg, err = node.LoadConfig(s.config); err != nil {
			return cfg, err
		}
	}
	cfg.Data = firstOf(s.data, cfg.Data)
	cfg.Listen = firstOf(s.listen, cfg.Listen)
	cfg.Admin = firstOf(s.admin, cfg.Admin, "127.0.0.1:8788")
	s.cluster(&cfg)
	cfg.Logger = newLogger(s.stdio.Err)
	cfg.Version = readBuildInfo().Version
	if cfg.Data == "" {
		return cfg, usagef(c, "--data is missing: the directory for everything the node keeps")
	}
	return cfg, nil
}

// cluster puts the flags over the file's [cluster].
func (s *serveCommand) cluster(cfg *node.Config) {
	if len(s.clusterURL) == 0 && s.clusterListen == "" && len(s.peers) == 0 {
		return
	}
	to := node.Cluster{}
	if cfg.Cluster != nil {
		to = *cfg.Cluster
	}
	if len(s.clusterURL) > 0 {
		to.URL = s.clusterURL
	}
	if s.clusterListen != "" || len(s.peers) > 0 {
		to.Embedded = true
		to.ClusterListen = firstOf(s.clusterListen, to.ClusterListen)
		if len(s.peers) > 0 {
			to.Peers = s.peers
		}
	}
	cfg.Cluster = &to
}

// drain shuts a node down and waits for requests that are under way, as long as
// its configuration says.
func drain(n *node.Node) error {
	err := n.Shutdown(context.Background())
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("some requests did not end in time and were cut off")
	}
	return err
}

// newLogger logs for people on a terminal, for machines elsewhere.
func newLogger(w io.Writer) *slog.Logger {
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}
