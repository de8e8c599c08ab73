package node_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// Secrets change under load: no request fails, and each sees a secret that was
// there while it ran.
func TestSecretsUnderLoad(t *testing.T) {
	n := mustStart(t, node.Config{})
	mustDeploy(t, n, "tells", tells())
	set := func(i int64) error {
		text := fmt.Sprint(i)
		_, err := n.Registry().SetSecrets(t.Context(), deploy.Local, "tells", "", map[string]*string{"KEY": &text})
		return err
	}
	if err := set(0); err != nil {
		t.Fatal(err)
	}
	var done, begun atomic.Int64 // numbers of secrets
	var stop atomic.Bool
	var readers sync.WaitGroup
	var requests atomic.Int64
	for range 4 {
		readers.Go(func() {
			for !stop.Load() {
				least := done.Load()
				status, body, err := get(n, "tells.localhost")
				got, parseErr := strconv.ParseInt(body, 10, 64)
				if most := begun.Load(); err != nil || parseErr != nil || status != 200 || got < least || got > most {
					t.Errorf("got %d %q, %v; want a number from %d to %d", status, body, err, least, most)
					return
				}
				requests.Add(1)
			}
		})
	}
	for i := int64(1); i <= 200; i++ {
		begun.Store(i)
		if err := set(i); err != nil {
			t.Error(err)
		}
		done.Store(i)
	}
	stop.Store(true)
	readers.Wait()
	t.Logf("%d requests", requests.Load())
}
