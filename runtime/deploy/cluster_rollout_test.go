package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// mustTry has two Versions of hello share the requests until the second has proved itself.
func mustTry(t *testing.T, r *deploy.Registry, old, tried deploy.Version, after time.Duration, requests int64) {
	t.Helper()
	_, err := r.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{
		Versions: []deploy.Share{{Version: old.ID, Percentage: 50}, {Version: tried.ID, Percentage: 50}},
		Rollout:  &deploy.Rollout{Version: tried.ID, PromoteAfter: after, MaxErrors: 10, MinRequests: requests},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// observe has a node count requests to the Version that is tried; false if there is
// none any more.
func observe(t *testing.T, r *deploy.Registry, tried string, count, status int) bool {
	t.Helper()
	s := serving(t, r)
	for count > 0 && s.Shared() {
		if a := s.Pick(nil, nil); a.VersionID == tried {
			a.Observe(host.OutcomeOK, status, time.Millisecond)
			count--
		}
	}
	return s.Shared()
}

// TestClusterRollout: one node decides, once, by what all have counted.
func TestClusterRollout(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		message string
	}{"does well": {200, "promoted after 1s: 60 requests, "}, "fails": {500, "rolled back because of errors>10%: 60 requests, 33% errors"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits
			n := newNodes(t, 3, deploy.Config{})
			old := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(1)})
			tried := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
			mustTry(t, n.all[1], old, tried, time.Second, 60)
			n.everywhere(t, "two versions serve", func(r *deploy.Registry) bool {
				return lookup(r, "hello.localhost", "/") != "" && serving(t, r).Shared()
			})
			for i, status := range []int{200, 200, c.status} { // none has seen 60
				if !observe(t, n.all[i], tried.ID, 20, status) {
					t.Fatal("it was decided too early")
				}
			}
			want := tried.ID
			if c.status == 500 {
				want = old.ID
			}
			n.everywhere(t, "one version serves", func(r *deploy.Registry) bool { return !serving(t, r).Shared() })
			n.serves(t, "hello.localhost", want)
			f, _, err := n.all[2].Function(deploy.Local, "hello")
			if err != nil || len(f.Deployments) != 3 || !strings.HasPrefix(f.Deployments[0].Message, c.message) {
				t.Errorf("got %d deployments, the last %+v, %v; want %q", len(f.Deployments), f.Deployments[0], err, c.message)
			}
			n.agree(t)
		})
	}
}

// TestSecretDuringRollout: it goes on with the Version that has the new secret.
func TestSecretDuringRollout(t *testing.T) {
	n := newNodes(t, 1, deploy.Config{})
	r := n.all[0]
	old := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	tried := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
	mustTry(t, r, old, tried, time.Hour, 5)
	text := "x"
	v, err := r.SetSecrets(t.Context(), deploy.Local, "hello", "", map[string]*string{"KEY": &text})
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := r.Function(deploy.Local, "hello")
	if err != nil || f.Deployments[0].Rollout == nil || f.Deployments[0].Rollout.Version != v.ID {
		t.Fatalf("got %+v, %v, want a rollout of %s", f.Deployments[0], err, v.ID)
	}
	observe(t, r, v.ID, 5, 500)
	eventually(t, "it is rolled back", func() bool { return !serving(t, r).Shared() })
	if got := lookup(r, "hello.localhost", "/"); got != old.ID {
		t.Errorf("version %s serves, want %s", got, old.ID)
	}
}
