package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/dev"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const defaultDevPort = 8787

type devCommand struct {
	stdio Stdio
	stage stageFlag
	ip    string
	port  int

	services []string // folders
}

func newDev(stdio Stdio) *cobra.Command {
	d := &devCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "dev [DIR]",
		Example: "  mayfly dev\n  mayfly dev examples/hello --port 9000\n  mayfly dev examples/gateway --service examples/auth\n  mayfly dev --env staging",
		Short:   "Serve a project while you work on it",
		Long: `Dev builds the project in DIR (default: here), serves it on a node of its own and
prints the URL. After each save it builds again and swaps the Function; requests
meanwhile get the version before. While the sources can't be built, requests get
the compiler's errors.

What the Function logs appears here. Variables and secrets in .dev.vars go over
those of mayfly.toml; with --env STAGE those in .dev.vars.STAGE, if it is there.
KV namespaces need no id; their keys are kept in DIR/.mayfly. The Function may
fetch from this machine and its network, which a node refuses unless it is
configured otherwise.

A Function that this one calls by a service binding is served beside it, and
built again as well, if --service has the folder of its project.

Cron triggers don't run by themselves: GET /__scheduled?cron=0+5+*+*+* sends the
Function a scheduled event. POST /__queue?queue=NAME gives it the body as a message.
KV triggers get what Functions here write.

All folders are watched but hidden ones and node_modules. With a build command:
those in watch_dir of [build], or src.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return d.run(c, argument(args, 0, ".")) },
	}
	d.stage.register(c.Flags())
	c.Flags().StringArrayVar(&d.services, "service", nil, "folder of a project to serve beside it, for service bindings; may be repeated")
	c.Flags().StringVar(&d.ip, "ip", "", "address to listen on (default 127.0.0.1, or ip in [dev])")
	c.Flags().IntVar(&d.port, "port", defaultDevPort, "port to listen on, over port in [dev]; 0 picks one")
	return c
}

func (d *devCommand) run(c *cobra.Command, dir string) error {
	if d.port < 0 || d.port > 65535 {
		return usagef(c, "--port wants 0 to 65535, not %d", d.port)
	}
	p, err := build.Open(dir, d.stage.get())
	if err != nil {
		return err
	}
	if p.Manifest.Dev.Port != 0 && !c.Flags().Changed("port") {
		d.port = int(p.Manifest.Dev.Port)
	}
	services, err := d.openServices(c, p)
	if err != nil {
		return err
	}
	session, err := dev.New(dev.Config{Project: p, Log: d.stdio.Err, Services: services})
	if err != nil {
		return err
	}
	n, err := d.start(c.Context(), p, session)
	if err != nil {
		return err
	}
	tasks, ctx := errgroup.WithContext(c.Context())
	for _, s := range append(services, session) {
		tasks.Go(func() error { return s.Run(ctx, n) })
	}
	tasks.Go(func() error { return d.announce(ctx, session, n) })
	return errors.Join(tasks.Wait(), drain(n))
}

// openServices makes the Sessions of the projects that are served beside p.
func (d *devCommand) openServices(c *cobra.Command, p *build.Project) (sessions []*dev.Session, err error) {
	names := map[string]string{p.Manifest.Name: p.Dir}
	for _, dir := range d.services {
		service, err := build.Open(dir, d.stage.get())
		if err != nil {
			return nil, err
		}
		name := service.Manifest.Name
		if other, taken := names[name]; taken {
			return nil, usagef(c, "the projects in %s and %s have the same name, %s; give one of them another", other, dir, name)
		}
		names[name] = dir
		session, err := dev.New(dev.Config{Project: service, Log: d.stdio.Err})
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

// announce prints the URL once there is something to see.
func (d *devCommand) announce(ctx context.Context, s *dev.Session, n *node.Node) error {
	select {
	case <-s.Built():
	case <-ctx.Done():
		return nil
	}
	if _, err := fmt.Fprintf(d.stdio.Out, "Open %s\n", localURL(n.HTTPAddr())); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// localURL is how this machine's browser reaches an address.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return "http://localhost:" + port
	}
	return "http://" + addr
}

// start runs a node that sends all requests to the one Function.
func (d *devCommand) start(ctx context.Context, p *build.Project, s *dev.Session) (*node.Node, error) {
	data, err := stateFolder(p.Dir)
	if err != nil {
		return nil, err
	}
	log := dev.NewLog(d.stdio.Err)
	n, err := node.Start(ctx, node.Config{
		Data:      data,
		Listen:    net.JoinHostPort(firstOf(d.ip, p.Manifest.Dev.IP, "127.0.0.1"), strconv.Itoa(d.port)),
		Dev:       true,
		Single:    p.Manifest.Name,
		Intercept: s.Intercept,
		Compile:   d.stdio.Self,
		Logger:    log.Logger(),
		GuestLog:  log,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use, perhaps by another 'mayfly dev'; choose another with --port, or with port in [dev] of mayfly.toml", d.port)
	}
	return n, err
}

// stateFolder is what keeps KV between runs. It keeps itself out of version
// control.
func stateFolder(dir string) (string, error) {
	state := filepath.Join(dir, ".mayfly")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", fmt.Errorf("make state folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(state, ".gitignore"), []byte("*\n"), 0o600); err != nil {
		return "", fmt.Errorf("make state folder: %w", err)
	}
	return filepath.Join(state, "data"), nil
}
