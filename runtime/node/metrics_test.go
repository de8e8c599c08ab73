package node_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/node"
)

// mustMetrics are the names of the metrics that a node has, after it served
// requests of a Function that answers.
func mustMetrics(t *testing.T, n *node.Node) map[string]bool {
	t.Helper()
	mustDeploy(t, n, "tells", tells())
	if _, _, err := get(n, "tells.localhost"); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("GET", "http://"+n.AdminAddr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text, err := do(req)
	if err != nil || status != 200 {
		t.Fatalf("status %d, %v", status, err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)[ {]`).FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// Every metric that the dashboard asks for is there.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../packaging/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	names := mustMetrics(t, mustStart(t, node.Config{FunctionMetrics: 10}))
	found := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`\b(mayfly|process|go)_[a-z_]+`).FindAllString(target.Expr, -1) {
				if found++; !names[name] {
					t.Errorf("panel %q: there is no metric %s", p.Title, name)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names are in %s", found, "packaging/grafana.json")
	}
}

// Names of Functions are told only where that is wanted.
func TestMetricsNameNobody(t *testing.T) {
	for name := range mustMetrics(t, mustStart(t, node.Config{})) {
		if strings.HasPrefix(name, "mayfly_function_") {
			t.Errorf("there is %s", name)
		}
	}
}
