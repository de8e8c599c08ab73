package natskv

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// apiTimeout is how long one request to a server may take.
const apiTimeout = 5 * time.Second

// connect returns the connection, which may not be one yet. A connection of our own
// holds nothing back for a server that is away: what is not sent fails at once.
// failed is told why an attempt to connect was in vain.
func connect(cfg Config, failed func(error)) (*nats.Conn, error) {
	if cfg.Conn != nil {
		return cfg.Conn, nil
	}
	options := []nats.Option{
		nats.Name("mayfly " + cfg.Bucket),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1),
		nats.RetryOnFailedConnect(true),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(apiTimeout),
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { cfg.Logger.Debug("NATS", "err", err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { failed(err) }),
	}
	if cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(cfg.Credentials))
	}
	if cfg.TLS != nil {
		options = append(options, nats.Secure(cfg.TLS))
	}
	conn, err := nats.Connect(cfg.URL, append(options, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.URL, err)
	}
	return conn, nil
}

func jetStream(conn *nats.Conn, domain string) (jetstream.JetStream, error) {
	timeout := jetstream.WithDefaultTimeout(apiTimeout)
	if domain != "" {
		return jetstream.NewWithDomain(conn, domain, timeout)
	}
	return jetstream.New(conn, timeout)
}
