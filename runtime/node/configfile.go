package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

type (
	item   = tomlfile.Item
	fields = tomlfile.Fields
)

// LoadConfig reads a node's configuration file, TOML of at most 1 MiB.
// docs/node.toml is one that has every key, with its meaning and default. What
// the file leaves out is zero in the Config. Paths in it are relative to the
// folder that it is in.
//
// The errors of the file (the first 20) are told together in the order of their
// lines: errors.Join of *tomlfile.Error.
func LoadConfig(file string) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return parseConfig(file, data)
}

func parseConfig(file string, data []byte) (Config, error) {
	f, err := tomlfile.Parse(file, data)
	if err != nil {
		return Config{}, err
	}
	c := &configFile{File: f, dir: filepath.Dir(file)}
	c.read()
	if f.Err() == nil {
		c.checkTogether()
	}
	if err := f.Err(); err != nil {
		return Config{}, err
	}
	return c.cfg, nil
}

// configFile turns a file into a Config and reports what does not fit.
type configFile struct {
	*tomlfile.File
	dir string // of the file
	cfg Config

	proxyProtocol item
	tlsTable      item // [tls]; has no Value if there is none
	tlsListen     item
	clusterTable  item
	clusterPeers  item
	most          []item // the keys of [limits.max]
}

func (c *configFile) read() {
	top := fields{
		"node": func(it item) { c.Table(it, c.node()) },
		"limits": func(it item) {
			c.Table(it, c.nodeLimits())
		},
		"egress":   func(it item) { c.Table(it, c.policy(&c.cfg.Egress)) },
		"accounts": c.accounts,
		"usage":    func(it item) { c.Table(it, c.usage()) },
		"assets":   func(it item) { c.Table(it, c.assets()) },
		"metrics":  c.metrics,
		"traces":   c.traces,
		"errors":   func(it item) { c.Table(it, c.errors()) },
		"audit":    func(it item) { c.Table(it, c.audit()) },
		"cluster":  c.cluster,
		"tls": func(it item) {
			c.tlsTable = it
			c.Table(it, c.tls())
		},
	}
	c.Belongs("tls", c.tls())
	c.Belongs("cluster", c.onlyOfCluster())
	c.Belongs("node", c.node())
	c.Belongs("limits", c.nodeLimits())
	c.Belongs("egress", c.policy(&fetch.Policy{}))
	c.Belongs("usage", c.usage())
	c.Belongs("audit", c.audit())
	c.Belongs("assets", c.assets())
	c.Belongs("", top)
	c.Table(c.Root(), top)
}

// nodeLimits are the keys of [limits]: those of a request, and those that only
// the node sets.
func (c *configFile) nodeLimits() fields {
	known := c.limits(&c.cfg.Limits)
	known["max"] = c.limitsMax
	known["account_concurrency"] = numberTo(c, &c.cfg.AccountConcurrency, 1, 1, 100_000)
	known["account_schedules"] = numberTo(c, &c.cfg.AccountSchedules, 1, 1, 100_000)
	known["account_queues_mb"] = numberTo(c, &c.cfg.AccountQueueBytes, 1<<20, 1, 1<<20)
	known["queue_mb"] = numberTo(c, &c.cfg.QueueBytes, 1<<20, 1, 1<<20)
	known["account_memory_mb"] = numberTo(c, &c.cfg.AccountMemory, 1<<20, 16, 1<<20)
	return known
}

// accounts reads [accounts], where any name of an account is a key.
func (c *configFile) accounts(it item) {
	for _, account := range c.Children(it, "a table of accounts") {
		if err := deploy.CheckName(account.Key); err != nil {
			c.BadKey(account, "account %v", err)
			continue
		}
		c.Table(account, fields{"egress": func(it item) {
			var p fetch.Policy
			c.Table(it, c.policy(&p))
			if c.cfg.AccountEgress == nil {
				c.cfg.AccountEgress = map[string]fetch.Policy{}
			}
			c.cfg.AccountEgress[account.Key] = p
		}})
	}
}

// policy are the keys of [egress] and of an account's.
func (c *configFile) policy(p *fetch.Policy) fields {
	return fields{
		"allow_private": c.BoolTo(&p.AllowPrivate),
		"high_ports":    c.BoolTo(&p.HighPorts),
		"allow":         c.rulesTo(&p.Allow),
		"only":          c.rulesTo(&p.Only),
		"deny":          c.rulesTo(&p.Deny),
	}
}

// rulesTo reads a list, which is not nil even if it is empty.
func (c *configFile) rulesTo(to *[]fetch.Rule) func(item) {
	return func(it item) {
		*to = []fetch.Rule{}
		for _, e := range c.Elements(it, "rules") {
			text, ok := c.Text(e)
			if !ok {
				continue
			}
			rule, err := fetch.ParseRule(text)
			if err != nil {
				c.BadValue(e, "%v", err)
				continue
			}
			*to = append(*to, rule)
		}
	}
}

func (c *configFile) limitsMax(it item) {
	if c.Table(it, c.limits(&c.cfg.MaxLimits)) {
		c.most = c.Children(it, "a table")
	}
}

// checkTogether reports keys that each are right, but not beside each other.
func (c *configFile) checkTogether() {
	if c.cfg.ProxyProtocol && len(c.cfg.TrustedProxies) == 0 {
		c.BadKey(c.proxyProtocol, `"proxy_protocol" without "trusted_proxies" believes nobody; list the proxies`)
	}
	c.checkTLS()
	c.checkCluster()
	inForce := c.cfg.Limits.Or(host.DefaultLimits())
	for _, it := range c.most {
		all := limitKeys()
		k := all[slices.IndexFunc(all, func(k limitKey) bool { return k.name == it.Key })]
		if most, n := k.get(&c.cfg.MaxLimits), k.get(&inForce); most < n {
			c.BadValue(it, "%s is %d, less than limits.%s, which is %d", it.Path, most, k.name, n)
		}
	}
}
