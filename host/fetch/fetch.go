// Package fetch sends the outbound requests of guests over net/http. It owns
// what a request may look like (url.go, headers.go), where it may go (policy.go,
// class.go, dial.go) and that a loop through this node can be seen (loop.go).
// Start reading at Client.Fetch.
//
// Every address is checked when it is connected to, after a single resolution
// whose answers must all pass, so that neither a name with a second address nor
// one whose address changes leads inside. Redirects are not followed, proxies
// from the environment are not used, and bodies are passed on as they were sent.
package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/mayfly-run/mayfly/host"
)

// Config says what a Client needs to know of its Node. Only NodeID is required.
type Config struct {
	// NodeID names the Node in the CDN-Loop field, as "mayfly-" and NodeID. It
	// is a token (RFC 9110, section 5.6.2).
	NodeID string
	// Policy is the Node's configuration for an account. Nil, or the zero
	// Policy, allows public addresses only. It is called for each request, by
	// several goroutines.
	Policy func(account string) Policy
	// Listeners are the sockets that this Node listens on. Guests reach one only
	// where a Rule names its address and port.
	Listeners func() []netip.AddrPort
	// OwnAddrs are the addresses of this Node; nil asks its network interfaces.
	OwnAddrs func() ([]netip.Addr, error)
	// Resolver looks names up; nil is net.DefaultResolver.
	Resolver Resolver
	// RootCAs verify upstreams; nil is the system's set.
	RootCAs *x509.CertPool
	// MaxResponseHeaderBytes bounds the headers of a response, interim responses
	// included; 0 is 64 KiB.
	MaxResponseHeaderBytes int64
}

// Resolver is the part of net.Resolver that a Client uses.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Client implements host.Fetcher. It is safe for concurrent use.
type Client struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	pools  map[string]*pool
	closed bool
}

var _ host.Fetcher = (*Client)(nil)

// New returns a Client that opens connections only when they are needed.
func New(cfg Config) (*Client, error) {
	if !isToken(cfg.NodeID) {
		return nil, errors.New("node id is not a token (RFC 9110, section 5.6.2)")
	}
	return &Client{cfg: cfg.withDefaults(), pools: make(map[string]*pool)}, nil
}

// Close closes idle connections and refuses further requests. A request under
// way keeps its connection until its Body is closed.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, p := range c.pools {
		p.transport.CloseIdleConnections()
	}
	return nil
}

// Fetch implements host.Fetcher. Where req.Body is an io.Closer it is closed,
// perhaps after Fetch has returned; it is not read once the response's Body is
// closed, except for a Read that is then under way.
func (c *Client) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	out, refused := c.request(req)
	if refused != nil {
		return nil, refused
	}
	transport, refused := c.transport(req.Account)
	if refused != nil {
		return nil, refused
	}
	x := &exchange{caller: ctx, target: out.URL.Host, upload: newUpload(req)}
	x.ctx, x.cancel = context.WithCancel(ctx)
	if x.upload != nil {
		out.Body, out.ContentLength = x.upload, x.upload.size
	}
	resp, err := transport.RoundTrip(out.WithContext(x.ctx))
	if err != nil {
		defer x.end()
		return nil, x.explain(err)
	}
	return x.response(resp)
}

// request is the checked form of what the guest asked for, yet without a body.
func (c *Client) request(req *host.FetchRequest) (*http.Request, *host.Error) {
	u, err := parseURL(req.URL)
	if err != nil {
		return nil, err
	}
	if err := checkEgress(req.Egress, u.Hostname()); err != nil {
		return nil, err
	}
	if err := checkMethod(req.Method); err != nil {
		return nil, err
	}
	header, err := requestHeader(req.Headers)
	if err != nil {
		return nil, err
	}
	header.Set("Cdn-Loop", appendLoop(req.Loop, c.cfg.NodeID))
	setTrace(header, req)
	return &http.Request{
		Method: req.Method, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Policy == nil {
		cfg.Policy = func(string) Policy { return Policy{} }
	}
	if cfg.Listeners == nil {
		cfg.Listeners = func() []netip.AddrPort { return nil }
	}
	if cfg.OwnAddrs == nil {
		cfg.OwnAddrs = interfaceAddrs
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	if cfg.MaxResponseHeaderBytes == 0 {
		cfg.MaxResponseHeaderBytes = 64 << 10
	}
	return cfg
}
