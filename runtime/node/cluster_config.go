package node

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Cluster says with whom a node shares its store: NATS servers at URL, or one that
// runs in the node.
type Cluster struct {
	// Name tells clusters on the same NATS servers apart. Default: mayfly.
	Name string
	// Replicas is on how many servers everything is kept, 1 to 5. Default: 3, or what
	// the servers allow.
	Replicas int
	// Cache is how many bytes of modules and static files the node keeps of the cluster's:
	// those that it used last. Those of Versions that serve stay, but for static files.
	// Default: 8 GiB.
	Cache int64

	// OfflineWrites are ids of KV namespaces to which this node takes writes while the
	// cluster can't be reached, and sends them later.
	OfflineWrites []string

	// StaleAfter is for how long the API of a node that does not hear what others change
	// goes on with changes. Default: 30 seconds.
	StaleAfter time.Duration

	// URL of NATS servers. Credentials is a .creds file; User and Password, or Token,
	// are for servers that want them.
	URL                   []string
	Credentials           string
	User, Password, Token string
	// Monitor is where the servers tell how they are set up, as the URLs of their
	// monitoring ports. It is asked whether they sync what they acknowledge.
	Monitor []string

	// Embedded runs a NATS server in the node. ClusterListen is where the others'
	// servers come, as HOST:PORT, and Peers is where those of all nodes are, this one's
	// too. Without both, it is alone. Listen is where other clients may come; default:
	// nowhere.
	Embedded              bool
	Listen, ClusterListen string
	Peers                 []string
	// SecretFile has what the servers know each other by, a key as KEKFile has one,
	// where neither the systemd credential mayfly.cluster nor MAYFLY_CLUSTER_SECRET has
	// it. A node with URL and no other way to say who it is comes by the same key to
	// servers of other nodes, where those have Listen.
	SecretFile string

	TLS ClusterTLS
}

// ClusterTLS are PEM files: roots for the servers' certificates, and this node's own
// with its key.
type ClusterTLS struct{ CA, Cert, Key string }

var errNATSURL = errors.New("a NATS server's URL is nats://HOST:PORT or tls://HOST:PORT, without user and password")

func isClusterName(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return text != "" && len(text) <= 32 && strings.Trim(text, letters) == ""
}

// check finds what does not fit together.
func (c *Cluster) check() error {
	if c.Name != "" && !isClusterName(c.Name) {
		return fmt.Errorf(`name %q has other characters than letters, digits, "-" and "_", or more than 32`, c.Name)
	}
	for _, u := range c.URL {
		if err := checkNATSURL(u); err != nil {
			return fmt.Errorf("%q: %w", u, err)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return errors.New(`tls has a "cert" without a "key", or the other way round; set both`)
	}
	if c.Embedded {
		return c.checkEmbedded()
	}
	switch {
	case len(c.URL) == 0:
		return errors.New(`has neither "url" nor "embedded = true"; say where the NATS servers are, or run one in each node`)
	case c.Listen != "" || c.ClusterListen != "" || len(c.Peers) > 0:
		return errors.New(`has keys of a server in the node ("listen", "cluster_listen", "peers") without "embedded = true"`)
	case c.ways() > 1:
		return errors.New(`has more than one of "credentials", "user", "token" and "secret_file"; keep the one that the servers want`)
	case c.Password != "" && c.User == "":
		return errors.New(`has a "password" without a "user"`)
	}
	return nil
}

// ways is in how many ways the node would say who it is.
func (c *Cluster) ways() (n int) {
	for _, way := range []string{c.Credentials, c.User, c.Token, c.SecretFile} {
		if way != "" {
			n++
		}
	}
	return n
}

func (c *Cluster) checkEmbedded() error {
	switch {
	case c.TLS != (ClusterTLS{}) && c.TLS.Cert == "":
		return errors.New(`has "tls" without "cert" and "key", which the server in the node needs; set both`)
	case len(c.URL) > 0 || c.Credentials != "" || c.User != "" || c.Password != "" || c.Token != "" || len(c.Monitor) > 0:
		return errors.New(`has "embedded = true" beside keys of other servers ("url", "credentials", "user", "password", "token", "monitor"); keep one of both`)
	case c.ClusterListen == "" && len(c.Peers) > 0:
		return errors.New(`has "peers" and no "cluster_listen"; set it to where the others reach this node, such as "10.0.0.1:6222"`)
	case c.ClusterListen != "" && len(c.Peers) == 0:
		return errors.New(`has "cluster_listen" and no "peers"; list the addresses of all nodes, this one's too`)
	case len(c.Peers) > 0 && !c.listsItself():
		return fmt.Errorf(`does not list %s, where this node listens, among "peers"; list all nodes, this one too: the same list on each`, c.ClusterListen)
	case c.ClusterListen != "" && samePort(c.ClusterListen, c.Listen):
		return fmt.Errorf(`has %s for both "listen" and "cluster_listen"; give each a port of its own`, c.Listen)
	}
	return nil
}

// listsItself reports whether a peer may be this node.
func (c *Cluster) listsItself() bool { return slices.ContainsFunc(c.Peers, c.maybeThis) }

// ownPeer is the peer that is this node; empty if it has no server that others reach.
func (c *Cluster) ownPeer() string {
	if c == nil {
		return ""
	}
	if i := slices.IndexFunc(c.Peers, c.maybeThis); i >= 0 {
		return c.Peers[i]
	}
	return ""
}

// first reports whether this may be the first peer, which begins a new cluster.
func (c *Cluster) first() bool { return len(c.Peers) == 0 || c.maybeThis(c.Peers[0]) }

// maybeThis reports whether a peer is at this node's address, or, where that can't be
// told, at its port.
func (c *Cluster) maybeThis(peer string) bool {
	host, port, _ := net.SplitHostPort(c.ClusterListen)
	peerHost, peerPort, _ := net.SplitHostPort(peer)
	if peerPort != port || peerHost == host {
		return peerPort == port
	}
	own, err := netip.ParseAddr(host)
	if everywhere := host == "" || err == nil && own.IsUnspecified(); everywhere {
		return maybeHere(peerHost)
	}
	_, notAddress := netip.ParseAddr(peerHost)
	return err != nil || notAddress != nil
}

// maybeHere reports whether a host may be this machine.
func maybeHere(host string) bool {
	their, err := net.LookupHost(host)
	if err != nil {
		return true
	}
	ours, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(ours, func(a net.Addr) bool {
		ip, is := a.(*net.IPNet)
		return is && slices.Contains(their, ip.IP.String())
	})
}

func (c *Cluster) staleAfter() time.Duration { return cmp.Or(c.StaleAfter, 30*time.Second) }

func (c *Cluster) name() string { return cmp.Or(c.Name, "mayfly") }

// secret is what the servers in the nodes know each other by; empty if there is
// none.
func (c *Cluster) secret() (string, error) {
	k, err := keyPlace{"mayfly.cluster", "MAYFLY_CLUSTER_SECRET", c.SecretFile}.read()
	if err != nil || k.IsZero() {
		return "", err
	}
	return k.MAC("mayfly cluster"), nil
}

// tlsConfig is for both sides: servers in nodes want each other's certificates.
func (c *ClusterTLS) tlsConfig() (*tls.Config, error) {
	if *c == (ClusterTLS{}) {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read cluster.tls.ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read cluster.tls.ca: %s has no certificate in PEM", c.CA)
		}
		cfg.ClientCAs = cfg.RootCAs
	}
	if c.Cert == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read cluster.tls.cert and key: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}
