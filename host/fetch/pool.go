package fetch

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

const (
	maxPools = 1024 // accounts whose connections are kept

	idlePerAccount = 64
	idlePerHost    = 32
	idleTime       = 60 * time.Second

	tlsTimeout  = 10 * time.Second
	pingTimeout = 15 * time.Second // of silence, after which HTTP/2 asks for a sign of life

	// What an upstream may send ahead of a guest that does not read. It bounds
	// both the memory of one HTTP/2 stream and its throughput per round trip.
	http2Window = 1 << 20
)

// A pool keeps the connections of one account, made under one Policy: another
// account, or the same under a stricter Policy, must not find a connection to
// where it could not have connected.
type pool struct {
	policy    Policy
	transport *http.Transport
}

// transport finds or makes the pool of an account.
func (c *Client) transport(account string) (*http.Transport, *host.Error) {
	policy := c.cfg.Policy(account)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, host.Errorf(host.CodeUnavailable, "the node is shutting down")
	}
	p := c.pools[account]
	if p != nil && p.policy.equal(policy) {
		return p.transport, nil
	}
	if p != nil {
		p.transport.CloseIdleConnections()
	} else if len(c.pools) >= maxPools {
		c.evict()
	}
	p = &pool{policy: policy, transport: c.newTransport(policy)}
	c.pools[account] = p
	return p.transport, nil
}

// evict forgets any one pool. Its requests under way are not disturbed, and a
// wrong choice costs its account no more than new connections.
func (c *Client) evict() {
	for account, p := range c.pools {
		delete(c.pools, account)
		p.transport.CloseIdleConnections()
		return
	}
}

func (c *Client) newTransport(policy Policy) *http.Transport {
	d := &dialer{cfg: &c.cfg, policy: policy}
	t := &http.Transport{
		Proxy:                  nil, // not even from the environment
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{RootCAs: c.cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		DisableCompression:     true,
		MaxIdleConns:           idlePerAccount,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: c.cfg.MaxResponseHeaderBytes,
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: http2Window, SendPingTimeout: pingTimeout},
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)
	return t
}
