// Package natsserver runs a NATS server with JetStream in this process, set so
// that what it has acknowledged is on disk: files, each write synced. Start reading
// at Start.
//
// It answers this process without a socket, and others only where Config.Listen
// says so. Servers form a cluster by Config.Peers; JetStream then works while more
// than half of them reach each other. All of them, and clients, know one secret.
package natsserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// User is the name by which clients and other servers come, with Config.Secret as
// their password.
const User = "mayfly"

// Config of a Server. Dir and Node are required, and Secret where it listens.
type Config struct {
	Dir  string // of what is stored; made if it is missing
	Node string // names this server; each of a cluster has a name of its own, for good
	Name string // of the cluster; the same on all servers. Default: mayfly
	// Listen is where other clients may come, as HOST:PORT. Default: nowhere; in a
	// cluster, where a server has to listen, a port of loopback.
	Listen string
	// ClusterListen is where the other servers come, and Peers is where all of them
	// are, this one too. Without both, the server is alone.
	ClusterListen string
	Peers         []string
	// First says that this may be the first of Peers, which is the one that may have
	// stored something while it was alone; see Bring.
	First  bool
	Secret string
	TLS    *tls.Config  // of everything that listens; with it, peers prove who they are
	Logger *slog.Logger // default: discard
}

// Server is one that runs. It is safe for concurrent use.
type Server struct {
	server *server.Server
	cfg    Config
	access *access
}

// ErrNoSecret: a server that listens without a secret would give everything away.
var ErrNoSecret = errors.New("a NATS server that listens needs a secret")

// startTime is how long a server may take to read what it has stored.
const startTime = 5 * time.Minute

// Start starts a server. It listens when Start returns; whether there are enough
// others is another question: see Waiting.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.ClusterListen != "" && cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Secret == "" && cfg.Listen != "" {
		return nil, ErrNoSecret
	}
	if err := cfg.putAside(); err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	return start(ctx, cfg)
}

func start(ctx context.Context, cfg Config) (*Server, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	access := newAccess(cfg.Secret)
	if cfg.Secret != "" {
		opts.CustomClientAuthentication = access
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	inner, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	access.server = inner
	s, log := &Server{inner, cfg, access}, &logger{log: cfg.Logger, said: map[string]time.Time{}}
	inner.SetLoggerV2(log, false, false, false)
	inner.Start() // it goes on in goroutines of its own
	if err := s.await(ctx, log); err != nil {
		s.Close()
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	return s, nil
}

// await waits until the server listens, or knows that it can't.
func (s *Server) await(ctx context.Context, log *logger) error {
	for deadline := time.Now().Add(startTime); ; {
		if s.server.ReadyForConnections(100 * time.Millisecond) {
			return log.fatal()
		}
		if err := errors.Join(log.fatal(), ctx.Err()); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it was not ready within %v", startTime)
		}
	}
}

// errorReports is which attempts to reach a peer are logged: the first, and each of
// this number. There is one a second.
const errorReports = 600

// tlsSeconds is how long a handshake may take, on a machine that does much else.
const tlsSeconds = 10

func (cfg *Config) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: cfg.Node, DontListen: true, NoSigs: true, NoLog: true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: cfg.Dir, SyncAlways: true,
		TLSConfig:           cfg.TLS,
		ConnectErrorReports: errorReports, ReconnectErrorReports: errorReports,
	}
	var err error
	if cfg.Listen != "" {
		opts.DontListen = false
		if opts.Host, opts.Port, err = split(cfg.Listen); err != nil {
			return nil, err
		}
	}
	opts.TLS = cfg.TLS != nil
	opts.TLSTimeout, opts.Cluster.TLSTimeout = tlsSeconds, tlsSeconds
	if cfg.ClusterListen == "" {
		return opts, nil
	}
	return opts, cfg.clusterOptions(opts)
}

func (cfg *Config) clusterOptions(opts *server.Options) (err error) {
	c := &opts.Cluster
	c.Name, c.Username, c.Password, c.TLSConfig, c.NoAdvertise = "mayfly", User, cfg.Secret, cfg.TLS, true
	if cfg.Name != "" {
		c.Name = cfg.Name
	}
	if c.Host, c.Port, err = split(cfg.ClusterListen); err != nil {
		return err
	}
	for _, p := range cfg.Peers {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: p, User: url.UserPassword(User, cfg.Secret)})
	}
	if len(opts.Routes) == 0 {
		return errors.New("a NATS server of a cluster needs its peers")
	}
	return nil
}

// split reads HOST:PORT; port 0 becomes the one by which the server picks a port.
func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, fmt.Errorf("port of %q: %w", address, err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// Connect returns what a client in this process connects by: the URL, and options
// that take the place of a socket.
func (s *Server) Connect() (servers string, opts []nats.Option) {
	return "nats://in-this-node", []nats.Option{nats.InProcessServer(s.server), nats.UserInfo(User, s.cfg.Secret)}
}

// Addr is where other clients may come; empty if nowhere.
func (s *Server) Addr() string {
	if s.cfg.Listen == "" {
		return ""
	}
	return s.server.Addr().String()
}

// Waiting says what JetStream waits for; empty if it works.
func (s *Server) Waiting() string {
	if s.cfg.ClusterListen == "" || s.server.JetStreamIsCurrent() {
		return ""
	}
	return fmt.Sprintf("%d of %d servers are there, and more than half are needed, or all when the cluster starts for the first time: start the others, and see that they reach each other by the addresses in peers",
		s.server.NumRemotes()+1, len(s.cfg.Peers))
}

// Close stops the server. What it has acknowledged is on disk already.
func (s *Server) Close() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
