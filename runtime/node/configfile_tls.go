package node

import (
	"net"
	"net/mail"
	"net/url"
	"time"

	"github.com/mayfly-run/mayfly/runtime/certs"
)

// tls are the keys of [tls].
func (c *configFile) tls() fields {
	t := &c.cfg.TLS
	return fields{
		"listen": func(it item) {
			c.tlsListen = it
			c.addressTo(&t.Listen)(it)
		},
		"public_port":  numberTo(c, &t.PublicPort, 1, 1, 65535),
		"certificates": c.certificates,
		"acme":         c.acme,
		"redirect":     c.BoolTo(&t.Redirect),
		"hsts_seconds": numberTo(c, &t.HSTS, time.Second, 1, 63_072_000),
	}
}

func (c *configFile) certificates(it item) {
	for _, e := range c.Elements(it, `tables such as { cert = "example.com.pem", key = "example.com.key" }`) {
		var p certs.Pair
		if c.Table(e, fields{"cert": c.pathTo(&p.Cert), "key": c.pathTo(&p.Key)}) {
			c.Required(e, "cert")
			c.Required(e, "key")
		}
		c.cfg.TLS.Certificates = append(c.cfg.TLS.Certificates, p)
	}
}

func (c *configFile) acme(it item) {
	a := &certs.ACME{}
	c.cfg.TLS.ACME = a
	c.Table(it, fields{
		"email": func(it item) {
			text, _ := it.Value.(string)
			address, err := mail.ParseAddress(text)
			if err != nil || address.Name != "" {
				c.WantText(it, `an address such as "operator@example.com"`)
				return
			}
			a.Email = address.Address
		},
		"directory": func(it item) {
			text, _ := it.Value.(string)
			if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" {
				c.WantText(it, `an https URL such as "https://acme-v02.api.letsencrypt.org/directory"`)
				return
			}
			a.Directory = text
		},
		"ca_file": c.pathTo(&a.CAFile),
	})
}

// checkTLS reports what is missing in [tls], or stands beside what it can't.
func (c *configFile) checkTLS() {
	t := &c.cfg.TLS
	switch {
	case c.tlsTable.Value == nil:
	case t.Listen == "":
		c.BadValue(c.tlsTable, `[tls] has no "listen", so nothing is served over TLS; set it, such as listen = ":8443"`)
	case len(t.Certificates) == 0 && t.ACME == nil:
		c.BadValue(c.tlsTable, `[tls] has no certificates; list files in "certificates", or add [tls.acme] to have them issued`)
	case samePort(t.Listen, c.cfg.Listen):
		c.BadValue(c.tlsListen, "tls.listen and node.listen are both %s; give each a port of its own", t.Listen)
	case samePort(t.Listen, c.cfg.Admin):
		c.BadValue(c.tlsListen, "tls.listen and node.admin are both %s; give each a port of its own", t.Listen)
	}
}

// samePort reports whether two addresses have one port, but for port 0, on one host.
func samePort(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, err := net.SplitHostPort(b)
	return err == nil && portA == portB && portA != "0" && (hostA == hostB || hostA == "" || hostB == "")
}
