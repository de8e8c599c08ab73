package deploy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// stateOf is what is known of hello, by the numbers of its Versions.
func stateOf(t *testing.T, r *deploy.Registry) string {
	t.Helper()
	f, _, err := r.Function(deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	versions, err := r.Versions(t.Context(), deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	numbers := map[string]int{}
	for _, v := range versions {
		numbers[v.ID] = v.Number
		fmt.Fprintf(&b, "%d%v ", v.Number, v.SecretNames())
	}
	for _, share := range f.Deployments[0].Versions {
		fmt.Fprintf(&b, "serves %d at %d%% ", numbers[share.Version], share.Percentage)
	}
	serves := numbers[lookup(r, "hello.localhost", "/")]
	fmt.Fprintf(&b, "host %d aliases %d routes %d rollout %v", serves, len(f.Aliases), len(f.Routes), f.Deployments[0].Rollout != nil)
	return b.String()
}

// TestCrashOfVersions ends the process at every write of a change of what Versions
// there are, and of which serve. Afterwards the old state is there or the new one.
func TestCrashOfVersions(t *testing.T) {
	const before = "3[A] 2[A] 1[A] serves 1 at 100% host 1 aliases 1 routes 0 rollout false"
	background := context.Background()
	for name, change := range map[string]struct {
		do    func(r *deploy.Registry, ids []string) error // by number
		after string
	}{
		"idle upload": {func(r *deploy.Registry, _ []string) error {
			_, err := r.Deploy(background, deploy.Local, "hello", deploy.Upload{Module: guest(9), Idle: true, Alias: "more", Secrets: map[string]*string{"B": new("4")}})
			return err
		}, "4[A B] 3[A] 2[A] 1[A] serves 1 at 100% host 1 aliases 2 routes 0 rollout false"},
		"deployment": {func(r *deploy.Registry, ids []string) error {
			_, err := r.CreateDeployment(background, deploy.Local, "hello", deploy.NewDeployment{
				Versions: []deploy.Share{{Version: ids[2], Percentage: 70}, {Version: ids[3], Percentage: 30}},
				Rollout:  &deploy.Rollout{Version: ids[3], PromoteAfter: time.Hour, MaxErrors: 1}})
			return err
		}, "3[A] 2[A] 1[A] serves 2 at 70% serves 3 at 30% host 2 aliases 1 routes 0 rollout true"},
		"prune": {func(r *deploy.Registry, _ []string) error {
			_, err := r.PruneVersions(background, deploy.Local, "hello", 2)
			return err
		}, "3[A] 1[A] serves 1 at 100% host 1 aliases 0 routes 0 rollout false"},
		"stored secrets": {func(r *deploy.Registry, _ []string) error {
			_, err := r.StoreSecrets(background, deploy.Local, "hello", "", map[string]*string{"A": nil, "B": new("5")})
			return err
		}, "4[B] 3[A] 2[A] 1[A] serves 1 at 100% host 1 aliases 1 routes 0 rollout false"},
		"hosts": {func(r *deploy.Registry, _ []string) error {
			_, err := r.SetHosts(background, deploy.Local, "hello", false, false)
			return err
		}, "3[A] 2[A] 1[A] serves 1 at 100% host 0 aliases 1 routes 0 rollout false"},
		"routes": {func(r *deploy.Registry, _ []string) error {
			_, err := r.AddRoutes(background, deploy.Local, "hello", routes(t, "new.example.com/*"))
			return err
		}, "3[A] 2[A] 1[A] serves 1 at 100% host 1 aliases 1 routes 1 rollout false"},
	} {
		for _, torn := range []bool{false, true} {
			for writes := 0; ; writes++ {
				done := false
				t.Run(fmt.Sprintf("%s after %d torn %v", name, writes, torn), func(t *testing.T) {
					done = crashOfVersions(t, &crash{left: writes, torn: torn}, before, change.after, change.do)
				})
				if done {
					break
				}
			}
		}
	}
}

// crashOfVersions reports whether the change was made before the crash.
func crashOfVersions(t *testing.T, c *crash, before, after string, do func(*deploy.Registry, []string) error) bool {
	n, key := newNode(t), secret.NewKey()
	first := n.openWith(t, key)
	ids := []string{""}
	for i := range 3 {
		up := deploy.Upload{Module: guest(byte(i)), Idle: i > 0, Secrets: map[string]*string{"A": new(fmt.Sprint(i))}}
		if i == 1 {
			up.Alias = "second"
		}
		ids = append(ids, mustDeploy(t, first, deploy.Local, "hello", up).ID)
	}
	first.Close()

	dying := node{c.store(n.store), c.blobs(n.blobs)}.openWith(t, key)
	err := do(dying, ids)
	if got := stateOf(t, dying); got != before && got != after {
		t.Errorf("the process goes on with %s", got)
	}
	dying.Close()
	r := n.openWith(t, key)
	got := stateOf(t, r)
	if got != after && (err == nil || got != before) {
		t.Errorf("got %s after %v, want\n%s or\n%s", got, err, before, after)
	}
	if _, err := snapshotOf(r, "hello"); err != nil && lookup(r, "hello.localhost", "/") != "" {
		t.Error(err)
	}
	checkNothingElse(t, n, r)
	checkSecretRecords(t, n, r)
	return c.left >= 0
}
