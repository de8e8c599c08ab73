package natskv_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

// mustParted starts three servers with links between them; cut cuts one from the others,
// which has its clients and may take itself for the leader for a while.
func mustParted(t *testing.T) (c *cluster, cut func(i int, down bool)) {
	c = mustCluster(t)
	links := map[[2]int]*proxy{}
	for i, o := range c.options {
		o.Cluster.NoAdvertise, o.Routes = true, nil
		for j := range c.options {
			if i == j {
				continue
			}
			links[[2]int{i, j}] = mustProxy(t, fmt.Sprintf("127.0.0.1:%d", c.options[j].Cluster.Port))
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: strings.TrimPrefix(links[[2]int{i, j}].url(), "nats://")})
		}
	}
	for i := range c.options {
		c.start(t, i)
	}
	return c, func(i int, down bool) {
		for ends, p := range links {
			if ends[0] == i || ends[1] == i {
				p.set(down)
			}
		}
	}
}

// TestStrongWhileParted has a leader that is cut off from the other servers, but not from
// its node, tell that node nothing that others have changed meanwhile.
func TestStrongWhileParted(t *testing.T) {
	if os.Getenv("MAYFLY_TORTURE") == "" {
		t.Skip("servers take half a minute to find another leader: set MAYFLY_TORTURE=1")
	}
	t.Parallel()
	c, cut := mustParted(t)
	var nodes []*natskv.Store
	for _, o := range c.options {
		nodes = append(nodes, mustOpen(t, natskv.Config{URL: fmt.Sprintf("nats://127.0.0.1:%d", o.Port), Wait: time.Minute, Replicas: 3}))
	}
	mustPut(t, nodes[0], "k", "old")
	for _, s := range nodes {
		eventually(t, "all have it", func() error { return s.Sync(t.Context()) })
	}
	stream, err := nodes[0].JetStream().Stream(t.Context(), "MAYFLY_mayfly")
	if err != nil {
		t.Fatal(err)
	}
	leader := int(stream.CachedInfo().Cluster.Leader[len("server-")] - '0')
	cut(leader, true)
	other := nodes[(leader+1)%3]
	began := time.Now()
	eventually(t, "the others go on", func() error {
		_, err := other.Put(t.Context(), "k", []byte("new"), kv.PutOptions{})
		return err
	})
	mustPut(t, other, "gone", "v")
	t.Logf("the others went on after %v", time.Since(began).Round(time.Millisecond))
	stale := 0
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); {
		if e, err := nodes[leader].GetStrong(t.Context(), "k"); err == nil && string(e.Value) != "new" {
			stale++
		}
		if err := nodes[leader].Delete(t.Context(), "gone", kv.DeleteOptions{}); err == nil {
			t.Error("a key was said to be gone that others have written")
			break
		} else if !errors.Is(err, kv.ErrUnavailable) {
			t.Error(err)
			break
		}
	}
	if stale > 0 {
		t.Errorf("%d strong reads were of what had been overwritten", stale)
	}
	cut(leader, false)
}
