package deploy_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// patterns are the Routes of a Function as text, with what is special about them.
func patterns(t testing.TB, r *deploy.Registry, account, name string) (list []string) {
	t.Helper()
	f, _, err := r.Function(account, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range f.Routes {
		text := route.Pattern.String()
		if route.CustomDomain {
			text = "domain " + route.Host()
		}
		if route.Disabled {
			text += " off"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func wantPatterns(t testing.TB, r *deploy.Registry, account, name string, want ...string) {
	t.Helper()
	if got := patterns(t, r, account, name); !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", name, got, want)
	}
}

func TestRoutesAndDomains(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	ctx := t.Context()
	shop := mustDeploy(t, r, "local", "shop", deploy.Upload{Routes: append(routes(t, "example.com/api/*"), domain(t, "shop.example.com"))})
	mustDeploy(t, r, "local", "blog", deploy.Upload{})
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "example.com/api/*")

	do := func(f deploy.Function, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(r.SetRoutes(ctx, "local", "shop", routes(t, "example.com/a/*")))
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "example.com/a/*")
	do(r.AddRoutes(ctx, "local", "shop", routes(t, "example.com/b/*", "example.com/a/*")))
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "example.com/a/*", "example.com/b/*")
	do(r.RemoveRoute(ctx, "local", "shop", routes(t, "example.com/a/*")[0].ID()))
	do(r.SetDomains(ctx, "local", "shop", []deploy.Route{domain(t, "shop.example.com"), domain(t, "www.example.com")}, false))
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "domain www.example.com", "example.com/b/*")
	if got := lookup(r, "www.example.com", "/any/path?q"); got != shop.ID {
		t.Errorf("a custom domain is served by %q", got)
	}

	_, err := r.SetDomains(ctx, "local", "blog", []deploy.Route{domain(t, "www.example.com")}, false)
	wantError(t, err, host.CodeConflict, `route "www.example.com/*" belongs to Function shop; remove it there first`)
	_, err = r.RemoveRoute(ctx, "local", "blog", "0123")
	wantError(t, err, host.CodeNotFound, `Function blog has no route "0123"`)
	do(r.SetDomains(ctx, "local", "blog", []deploy.Route{domain(t, "www.example.com")}, true))
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "example.com/b/*")
	wantPatterns(t, r, "local", "blog", "domain www.example.com")

	r.Close()
	r = n.open(t)
	wantPatterns(t, r, "local", "shop", "domain shop.example.com", "example.com/b/*")
	held, err := r.Routes("local")
	if err != nil || len(held) != 3 || held[0].Function != "shop" || held[2].Host() != "www.example.com" {
		t.Errorf("got %v, %v", held, err)
	}
}

// A move that is refused leaves everything as it was.
func TestMoveOfDomainRefused(t *testing.T) {
	r := newNode(t).open(t)
	mustAccount(t, r, "acme", "*.acme.test")
	mustAccount(t, r, "other", "*.acme.test")
	mustDeploy(t, r, "acme", "a", deploy.Upload{Routes: []deploy.Route{domain(t, "www.acme.test"), domain(t, "x.acme.test")}})
	mustDeploy(t, r, "acme", "b", deploy.Upload{})
	mustDeploy(t, r, "other", "c", deploy.Upload{})
	_, err := r.SetDomains(t.Context(), "acme", "b", []deploy.Route{domain(t, "www.acme.test"), domain(t, "www.example.com")}, true)
	wantError(t, firstOf(err), host.CodeDenied, `route "www.example.com/*": account acme may not claim this host; ask the node's administrator to grant it, with 'mayfly account update'`)
	wantPatterns(t, r, "acme", "a", "domain www.acme.test", "domain x.acme.test")
	wantPatterns(t, r, "acme", "b")

	// Of other accounts nothing is taken, nor is it told whose it is.
	_, err = r.SetDomains(t.Context(), "other", "c", []deploy.Route{domain(t, "www.acme.test")}, true)
	wantError(t, firstOf(err), host.CodeConflict, `route "www.acme.test/*" belongs to a Function of another account; remove it there first`)
}

// firstOf is the first of errors that were joined.
func firstOf(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()[0]
	}
	return err
}

// A route that is disabled keeps its place: nobody answers there.
func TestDisabledRoute(t *testing.T) {
	r := newNode(t).open(t)
	off := routes(t, "example.com/private/*")
	off[0].Disabled = true
	v := mustDeploy(t, r, "local", "shop", deploy.Upload{Routes: append(routes(t, "example.com/*"), off...)})
	for path, want := range map[string]string{"/": v.ID, "/private": v.ID, "/private/": "", "/private/x?y": ""} {
		if got := lookup(r, "example.com", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	mustDeploy(t, r, "local", "blog", deploy.Upload{})
	_, err := r.AddRoutes(t.Context(), "local", "blog", routes(t, "example.com/private/*"))
	wantError(t, err, host.CodeConflict, `route "example.com/private/*" belongs to Function shop; remove it there first`)
	domain, err := deploy.DomainRoute("www.example.com", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddRoutes(t.Context(), "local", "blog", []deploy.Route{domain}); err != nil {
		t.Fatal(err)
	}
	if got := lookup(r, "www.example.com", "/"); got != "" {
		t.Errorf("a disabled domain is served by %q", got)
	}
}

func TestDomainRoute(t *testing.T) {
	for text, want := range map[string]string{
		"Example.COM":    "",
		"example.com/x":  `a custom domain is a host without path and wildcards, not "example.com/x"`,
		"*.example.com":  `a custom domain is a host without path and wildcards, not "*.example.com"`,
		"example.com:80": `host "example.com:80" has a port; write "example.com", which matches every port`,
		"":               `the host is missing; write one such as "example.com"`,
	} {
		route, err := deploy.DomainRoute(text, false)
		if want != "" {
			wantError(t, err, host.CodeInvalid, want)
			continue
		}
		if err != nil || route.Host() != "example.com" || route.Pattern.String() != "example.com/*" {
			t.Errorf("%s: got %v, %v", text, route, err)
		}
	}
}

func TestHasHost(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, "local", "shop", deploy.Upload{Routes: append(routes(t, "*.wild.test/*", "path.test/x"), domain(t, "www.example.com"))})
	for name, want := range map[string]bool{
		"shop.localhost": true, "path.test": true, "www.example.com": true,
		"a.wild.test": false, "wild.test": false, "localhost": false, "blog.localhost": false, "": false,
	} {
		if got := r.HasHost(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// Two Functions that want the same domain at the same time: one gets it.
func TestDomainsAtTheSameTime(t *testing.T) {
	r := newNode(t).open(t)
	const functions = 8
	for i := range functions {
		mustDeploy(t, r, "local", fmt.Sprintf("f%d", i), deploy.Upload{})
	}
	var wg sync.WaitGroup
	for i := range functions {
		wg.Go(func() {
			for range 20 {
				r.SetDomains(t.Context(), "local", fmt.Sprintf("f%d", i), []deploy.Route{domain(t, "www.example.com")}, i%2 == 0) //nolint:errcheck // some are refused
			}
		})
	}
	wg.Wait()
	held, err := r.Routes("local")
	if err != nil || len(held) > 1 {
		t.Errorf("got %v, %v, want one Function to have the domain", held, err)
	}
}

// TestMoveOfDomainCrash ends the process at each write of a move: somebody has the
// domain at all times.
func TestMoveOfDomainCrash(t *testing.T) {
	for left := 0; ; left++ {
		n := newNode(t)
		r := n.open(t)
		mustDeploy(t, r, "local", "shop", deploy.Upload{Routes: []deploy.Route{domain(t, "www.example.com")}})
		blog := mustDeploy(t, r, "local", "blog", deploy.Upload{})
		r.Close()
		c := &crash{left: left}
		dying := node{c.store(n.store), n.blobs}.open(t)
		_, err := dying.SetDomains(t.Context(), "local", "blog", []deploy.Route{domain(t, "www.example.com")}, true)
		if lookup(dying, "www.example.com", "/") == "" {
			t.Errorf("after %d writes nothing serves the domain", left)
		}
		dying.Close()
		r = n.open(t)
		got := lookup(r, "www.example.com", "/")
		if got == "" {
			t.Errorf("after %d writes and a start nothing serves the domain", left)
		}
		if err == nil {
			if got != blog.ID {
				t.Errorf("version %s serves the domain, want that of blog", got)
			}
			return
		}
		if _, err := r.SetDomains(t.Context(), "local", "blog", []deploy.Route{domain(t, "www.example.com")}, true); err != nil {
			t.Errorf("again: %v", err)
		}
		wantPatterns(t, r, "local", "shop")
		wantPatterns(t, r, "local", "blog", "domain www.example.com")
	}
}
