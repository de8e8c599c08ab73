package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/router"
)

const benchRoutes = 10_000

// benchTables are shapes of 10,000 routes: a host for each Function, one host
// with a path for each, a wildcard domain for each, and prefixes nested as
// deep as a pattern allows.
func benchTables() map[string]func(i int) string {
	return map[string]func(i int) string{
		"hosts":     func(i int) string { return fmt.Sprintf("function-%05d.example.com/*", i) },
		"paths":     func(i int) string { return fmt.Sprintf("example.com/api/v1/resource-%05d/*", i) },
		"wildcards": func(i int) string { return fmt.Sprintf("*.tenant-%05d.example.com/*", i) },
		"nested": func(i int) string {
			return fmt.Sprintf("%02d.example.com/%s*", i/1000, strings.Repeat("a", i%1000))
		},
	}
}

func benchRoutesOf(b *testing.B, pattern func(int) string) []router.Route[int] {
	routes := make([]router.Route[int], benchRoutes)
	for i := range routes {
		routes[i] = router.Route[int]{Pattern: mustPattern(b, pattern(i)), Target: i}
	}
	return routes
}

func BenchmarkLookup(b *testing.B) {
	for name, pattern := range benchTables() {
		b.Run(name, func(b *testing.B) {
			routes := benchRoutesOf(b, pattern)
			table, err := router.NewTable(routes)
			if err != nil {
				b.Fatal(err)
			}
			scheme := []byte("https")
			var hosts, paths [][]byte
			for _, r := range routes {
				host, path, _ := strings.Cut(r.Pattern.String(), "/")
				hosts = append(hosts, []byte(strings.Replace(host, "*", "www", 1)+":8080"))
				paths = append(paths, []byte("/"+strings.TrimSuffix(path, "*")+"b/c?d=e"))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % benchRoutes // a prime: no order that caches like
				if got, _ := table.Lookup(scheme, hosts[i], paths[i]); got != i {
					b.Fatalf("got %d, want %d", got, i)
				}
			}
		})
	}
}

func BenchmarkNewTable(b *testing.B) {
	routes := benchRoutesOf(b, benchTables()["hosts"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := router.NewTable(routes); err != nil {
			b.Fatal(err)
		}
	}
}
