package node

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// cluster reads [cluster].
func (c *configFile) cluster(it item) {
	c.clusterTable = it
	c.cfg.Cluster = &Cluster{}
	c.Table(it, c.clusterKeys(c.cfg.Cluster))
}

func (c *configFile) clusterKeys(to *Cluster) fields {
	return fields{
		"name":           c.clusterName(to),
		"replicas":       numberTo(c, &to.Replicas, 1, 1, 5),
		"cache_mb":       numberTo(c, &to.Cache, 1<<20, 64, 1<<20),
		"offline_writes": c.offlineWrites(to),
		"url":            c.natsURLs(to),
		"credentials":    c.pathTo(&to.Credentials),
		"user":           c.secretTo(&to.User),
		"password":       c.secretTo(&to.Password),
		"token":          c.secretTo(&to.Token),
		"monitor":        c.monitors(to),
		"embedded":       c.BoolTo(&to.Embedded),
		"listen":         c.addressTo(&to.Listen),
		"cluster_listen": c.addressTo(&to.ClusterListen),
		"peers":          c.peers(to),
		"secret_file":    c.pathTo(&to.SecretFile),
		"tls": func(it item) {
			c.Table(it, fields{"ca": c.pathTo(&to.TLS.CA), "cert": c.pathTo(&to.TLS.Cert), "key": c.pathTo(&to.TLS.Key)})
		},
	}
}

// onlyOfCluster are those keys that mean nothing elsewhere.
func (c *configFile) onlyOfCluster() fields {
	known := c.clusterKeys(&Cluster{})
	for _, key := range []string{"name", "listen", "tls", "user", "token", "cache_mb"} {
		delete(known, key)
	}
	return known
}

func (c *configFile) clusterName(to *Cluster) func(item) {
	return func(it item) {
		text, _ := it.Value.(string)
		if !isClusterName(text) {
			c.WantText(it, `letters, digits, "-" and "_", 32 at most`)
			return
		}
		to.Name = text
	}
}

// natsURLs reads one URL, or several in a list.
func (c *configFile) natsURLs(to *Cluster) func(item) {
	read := func(it item) {
		text, _ := it.Value.(string)
		if err := checkNATSURL(text); err != nil {
			c.WantText(it, `a URL such as "nats://10.0.0.1:4222", or a list of them; user and password have keys of their own`)
			return
		}
		to.URL = append(to.URL, text)
	}
	return func(it item) {
		if _, one := it.Value.(string); one {
			read(it)
			return
		}
		for _, e := range c.Elements(it, `URLs such as "nats://10.0.0.1:4222"`) {
			read(e)
		}
	}
}

func checkNATSURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "nats" && u.Scheme != "tls" {
		return errNATSURL
	}
	return nil
}

func (c *configFile) monitors(to *Cluster) func(item) {
	return func(it item) {
		for _, e := range c.Elements(it, `URLs such as "http://10.0.0.1:8222"`) {
			text, _ := e.Value.(string)
			if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				c.WantText(e, `the URL of a server's monitoring port, such as "http://10.0.0.1:8222"`)
				continue
			}
			to.Monitor = append(to.Monitor, text)
		}
	}
}

func (c *configFile) offlineWrites(to *Cluster) func(item) {
	return func(it item) {
		for _, e := range c.Elements(it, "ids of KV namespaces") {
			text, _ := e.Value.(string)
			if text == "" || strings.Contains(text, "/") {
				c.WantText(e, "the id of a KV namespace, as mayfly kv namespace list shows it")
				continue
			}
			to.OfflineWrites = append(to.OfflineWrites, text)
		}
	}
}

// secretTo reads a text, or where it is: ${env:NAME} or ${file:PATH}.
func (c *configFile) secretTo(to *string) func(item) {
	return func(it item) {
		text, ok := c.Text(it)
		if !ok {
			return
		}
		reference, isReference := strings.CutPrefix(strings.TrimSuffix(text, "}"), "${")
		kind, name, _ := strings.Cut(reference, ":")
		switch {
		case !isReference || !strings.HasSuffix(text, "}"):
			*to = text
		case kind == "env":
			if *to = os.Getenv(name); *to == "" {
				c.BadValue(it, "%q: the environment has no %s; set it before the node starts", it.Key, name)
			}
		case kind == "file":
			*to = c.textOf(it, name)
		default:
			c.WantText(it, `a text, or "${env:NAME}" or "${file:PATH}" for where it is`)
		}
	}
}

// textOf is what is in a file, without the line's end.
func (c *configFile) textOf(it item, name string) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(c.dir, name)
	}
	data, err := os.ReadFile(name)
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		c.BadValue(it, "%q: %v", it.Key, err)
	case text == "":
		c.BadValue(it, "%q: %s is empty", it.Key, name)
	}
	return text
}

func (c *configFile) peers(to *Cluster) func(item) {
	return func(it item) {
		c.clusterPeers = it
		for _, e := range c.Elements(it, `addresses such as "10.0.0.1:6222"`) {
			var address string
			if c.addressTo(&address)(e); address == "" {
				continue
			}
			if host, port, _ := net.SplitHostPort(address); host == "" || port == "0" {
				c.WantText(e, `HOST:PORT at which the others reach it, such as "10.0.0.1:6222"`)
				continue
			}
			to.Peers = append(to.Peers, address)
		}
	}
}

// checkCluster reports what is missing in [cluster], or stands beside what it can't.
func (c *configFile) checkCluster() {
	if c.cfg.Cluster == nil {
		return
	}
	it := c.clusterTable
	if c.clusterPeers.Value != nil {
		it = c.clusterPeers
	}
	if err := c.cfg.Cluster.check(); err != nil {
		c.BadValue(it, "[cluster] %v", err)
	}
}
