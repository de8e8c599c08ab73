package deploy_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func TestSetInvoke(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "shop")
	for _, name := range []string{"a", "b"} {
		mustDeploy(t, r, "local", name, deploy.Upload{})
	}
	mustDeploy(t, r, "shop", "c", deploy.Upload{})
	ns, err := r.CreateNamespace(t.Context(), "local", "failures")
	if err != nil {
		t.Fatal(err)
	}
	if f, _, _ := r.Function("local", "a"); f.Invoke.Retries() != 2 || f.Invoke.OnFailure() != (deploy.Destination{}) {
		t.Errorf("by default: %d, %+v", f.Invoke.Retries(), f.Invoke.OnFailure())
	}
	retries := func(n int) *int { return &n }
	for _, tt := range []struct {
		config deploy.InvokeConfig
		want   string // of the error
	}{
		{deploy.InvokeConfig{MaxRetries: retries(3)}, "retries is 3; 0 to 2 are allowed"},
		{deploy.InvokeConfig{MaxRetries: retries(-1)}, "retries is -1"},
		{deploy.InvokeConfig{Failures: deploy.Destination{Function: "b", Namespace: ns.ID}}, "give one of them"},
		{deploy.InvokeConfig{Failures: deploy.Destination{Function: "a"}}, "name another"},
		{deploy.InvokeConfig{Failures: deploy.Destination{Function: "c"}}, `Function "c" does not exist in account local`},
		{deploy.InvokeConfig{Failures: deploy.Destination{Namespace: "none"}}, "none"},
		{deploy.InvokeConfig{Failures: deploy.Destination{Namespace: ns.ID}}, ""},
		{deploy.InvokeConfig{MaxRetries: retries(0), Failures: deploy.Destination{Function: "b"}}, ""},
	} {
		_, err := r.SetInvoke(t.Context(), "local", "a", tt.config)
		if tt.want == "" && err != nil || tt.want != "" && (host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: got %v, want %s", tt.config, err, tt.want)
		}
	}
	mustDeploy(t, r, "local", "a", deploy.Upload{})
	if f, _, err := n.open(t).Function("local", "a"); err != nil || f.Invoke.Retries() != 0 || f.Invoke.OnFailure().Function != "b" {
		t.Errorf("after a restart: %+v, %v", f.Invoke, err)
	}
}
