package cli_test

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// A node that is killed while secrets are put has the old one or the new one when
// it starts again, and the new one if that was acknowledged. Its log of changes
// has all of them.
func TestKilledDuringSecrets(t *testing.T) {
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	s := mustServe(t)
	s.mustDeploy(t, "tells", tellsSecret(false))
	acknowledged := 0
	for round := range rounds {
		c, err := api.New(api.Config{Base: "http://" + s.admin + "/client/v4", Account: "local", Token: s.mustToken(t)})
		if err != nil {
			t.Fatal(err)
		}
		began, next := acknowledged+1, make(chan int, 1)
		if err := c.PutSecret(t.Context(), "tells", "KEY", strconv.Itoa(began)); err != nil {
			t.Fatal(err)
		}
		go func() { // until the node is gone
			n := began
			for c.PutSecret(t.Context(), "tells", "KEY", strconv.Itoa(n+1)) == nil {
				n++
			}
			next <- n
		}()
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		s.kill(t)
		acknowledged = <-next
		s = mustServeIn(t, s.data)
		status, body := s.get(t, "tells")
		got, err := strconv.Atoi(body)
		if status != 200 || err != nil || got < acknowledged || got > acknowledged+1 {
			t.Fatalf("round %d: status %d, %q; %d was acknowledged", round, status, body, acknowledged)
		}
		acknowledged = got
		s.mustRun(t, "audit", "verify", filepath.Join(s.data, "audit.log"))
	}
	if acknowledged < rounds {
		t.Errorf("%d secrets in %d rounds are too few to tell", acknowledged, rounds)
	}
}
