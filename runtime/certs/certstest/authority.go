package certstest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority is a certificate authority in this process, which speaks ACME. For it,
// every host is this machine.
type Authority struct {
	Directory string       // URL
	Root      string       // file that vouches for the URL
	Down      atomic.Bool  // it refuses everything
	Orders    atomic.Int32 // of certificates
}

// NewAuthority starts one that looks for challenges at two ports, and issues
// certificates that are valid for so many seconds.
func NewAuthority(t testing.TB, plain, secure int, seconds uint64) *Authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: seconds}})
	front := wfe.New(quiet, store, va.New(quiet, plain, secure, false, resolver(t), store), issuer, nil, false, false, 0, 0)
	a := &Authority{}
	server := httptest.NewTLSServer(a.unlessDown(front.Handler()))
	t.Cleanup(server.Close)
	a.Directory, a.Root = server.URL+wfe.DirectoryPath, filepath.Join(t.TempDir(), "root.pem")
	fatal(t, writePEM(a.Root, "CERTIFICATE", server.Certificate().Raw))
	return a
}

func (a *Authority) unlessDown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/order-plz") {
			a.Orders.Add(1)
		}
		if a.Down.Load() {
			http.Error(w, "refused", http.StatusForbidden) // 503 would be tried again for minutes
			return
		}
		next.ServeHTTP(w, r)
	})
}

// resolver says that every name is this machine, and returns its address.
func resolver(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	s := &dns.Server{Listener: ln, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		if q := r.Question[0]; q.Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
		}
		w.WriteMsg(m) //nolint:errcheck // the authority asks again
	})}
	go s.ActivateAndServe() //nolint:errcheck // until it is shut down
	t.Cleanup(func() { s.Shutdown() })
	return ln.Addr().String()
}
