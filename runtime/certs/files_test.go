package certs_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/certs/certstest"
)

func TestChoice(t *testing.T) {
	var log logtest.Buffer
	c := must(certs.New(certs.Config{Logger: log.Logger(), Pairs: []certs.Pair{
		certstest.Pair(t, t.TempDir(), 1, "example.com", "www.example.com"), certstest.Pair(t, t.TempDir(), 2, "*.example.com"), certstest.Pair(t, t.TempDir(), 3, "Other.test")}}))(t)
	for _, tt := range []struct {
		host string
		want int64
		has  bool
	}{
		{"example.com", 1, true}, {"www.example.com", 1, true}, {"WWW.Example.COM", 1, true}, {"example.com.", 1, true},
		{"api.example.com", 2, true}, {"a.b.example.com", 1, false}, {"other.test", 3, true},
		{"nobody.test", 1, false}, {"", 1, false}, {"*.example.com", 2, true}, {"127.0.0.1", 1, false},
	} {
		if got := number(t, c, tt.host); got != tt.want {
			t.Errorf("%q: certificate %d, want %d", tt.host, got, tt.want)
		}
		if got := c.Has(tt.host + ":8443"); got != tt.has {
			t.Errorf("%q: has %v, want %v", tt.host, got, tt.has)
		}
	}
	if _, ok := c.Challenge([]byte("example.com"), []byte("/.well-known/acme-challenge/x")); ok {
		t.Error("a challenge was answered without an authority")
	}
}

// What was read before goes on until what is new is good.
func TestReload(t *testing.T) {
	var log logtest.Buffer
	dir := t.TempDir()
	pair := certstest.Pair(t, dir, 1, "example.com")
	c := must(certs.New(certs.Config{Logger: log.Logger(), Pairs: []certs.Pair{pair}}))(t)
	steps := []struct {
		name   string
		change func()
		all    bool
		want   int64
		log    string
	}{
		{"nothing", func() {}, false, 1, ""},
		{"another", func() { certstest.Pair(t, dir, 2, "example.com", "example.org") }, false, 2, "certificate read"},
		{"broken", func() { write(t, pair.Cert, []byte("-----BEGIN CERT")) }, false, 2, "the certificate that was read before goes on"},
		{"still broken", func() {}, false, 2, ""},
		{"asked for again", func() {}, true, 2, "the certificate that was read before goes on"},
		{"mended", func() { certstest.Pair(t, dir, 3, "example.com") }, false, 3, "certificate read"},
		{"key alone", func() {
			write(t, pair.Key, must(os.ReadFile(certstest.Pair(t, t.TempDir(), 9, "x.test").Key))(t))
			later := time.Now().Add(time.Minute) // it is as long, and there are file systems whose clock is slow
			if err := os.Chtimes(pair.Key, later, later); err != nil {
				t.Fatal(err)
			}
		}, false, 3, "private key does not match"},
		{"gone", func() { os.Remove(pair.Cert) }, false, 3, "no such file"},
		{"no hosts", func() { certstest.Pair(t, dir, 4) }, false, 3, "names no host"},
		{"back", func() { certstest.Pair(t, dir, 5, "example.com") }, true, 5, "certificate read"},
	}
	for _, tt := range steps {
		before := len(log.String())
		tt.change()
		c.Reload(tt.all)
		if got := number(t, c, "example.com"); got != tt.want {
			t.Errorf("%s: certificate %d, want %d", tt.name, got, tt.want)
		}
		if said := log.String()[before:]; !strings.Contains(said, tt.log) || tt.log == "" && said != "" {
			t.Errorf("%s: the log says %q, want %q", tt.name, said, tt.log)
		}
	}
}

func TestReloadUnderLoad(t *testing.T) {
	var log logtest.Buffer
	dir := t.TempDir()
	c := must(certs.New(certs.Config{Logger: log.Logger(), Pairs: []certs.Pair{certstest.Pair(t, dir, 1, "example.com")}}))(t)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 500 {
				if got := number(t, c, "example.com"); got < 1 {
					t.Errorf("certificate %d", got)
				}
			}
		})
	}
	for i := range int64(20) {
		certstest.Pair(t, dir, i+2, "example.com")
		c.Reload(true)
	}
	readers.Wait()
}

func TestRefused(t *testing.T) {
	var log logtest.Buffer
	good, other := certstest.Pair(t, t.TempDir(), 1, "example.com"), certstest.Pair(t, t.TempDir(), 2, "example.org")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	write(t, empty, nil)
	for _, tt := range []struct {
		name string
		cfg  certs.Config
		want string
	}{
		{"nothing", certs.Config{}, "TLS needs certificates: give files, or an authority"},
		{"missing", certs.Config{Pairs: []certs.Pair{{Cert: "missing.pem", Key: good.Key}}}, "read certificate: open missing.pem"},
		{"missing key", certs.Config{Pairs: []certs.Pair{{Cert: good.Cert, Key: "missing.pem"}}}, "read key of certificate"},
		{"other's key", certs.Config{Pairs: []certs.Pair{{Cert: good.Cert, Key: other.Key}}}, "the key the one that the certificate was made for"},
		{"swapped", certs.Config{Pairs: []certs.Pair{{Cert: good.Key, Key: good.Cert}}}, "both must be PEM files"},
		{"empty", certs.Config{Pairs: []certs.Pair{{Cert: empty, Key: good.Key}}}, "both must be PEM files"},
		{"no hosts", certs.Config{Pairs: []certs.Pair{certstest.Pair(t, t.TempDir(), 3)}}, "names no host as a subject alternative name"},
		{"roots missing", certs.Config{ACME: &certs.ACME{Dir: t.TempDir(), CAFile: "missing.pem"}}, "read roots of the ACME directory"},
		{"roots empty", certs.Config{ACME: &certs.ACME{Dir: t.TempDir(), CAFile: empty}}, "has no certificates; it must be a PEM file"},
	} {
		tt.cfg.Logger = log.Logger()
		if _, err := certs.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
