package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// witness keeps each change that it gets, and what comes out of order; and answers with
// all of that.
const witness = `export default {
  async kv(event, env) {
    const last = await env.SEEN.get("last/" + event.key) ?? "0";
    const revision = String(event.revision);
    if (last !== revision && last !== "0" && last !== String(event.oldRevision)) await env.SEEN.put("wrong/" + event.key + "/" + revision, last);
    await env.SEEN.put("seen/" + event.key + "/" + await event.text(), revision);
    await env.SEEN.put("last/" + event.key, revision);
  },
  async fetch(request, env) {
    const names = [];
    for (let cursor; ;) {
      const page = await env.SEEN.list({ cursor });
      names.push(...page.keys.map(k => k.name));
      if (page.list_complete) return new Response(names.join(" "));
      cursor = page.cursor;
    }
  },
};`

const witnessManifest = `name = "witness"
main = "index.js"
[[kv_namespaces]]
binding = "DATA"
[[kv_namespaces]]
binding = "SEEN"
[[triggers.kv]]
binding = "DATA"
`

// Whatever moment a node is killed at, each change whose write was acknowledged arrives,
// and those of one key in their order.
func TestKilledDuringKVTriggers(t *testing.T) {
	rounds := 5
	switch {
	case os.Getenv("MAYFLY_TORTURE") != "":
		rounds = 100
	case testing.Short():
		rounds = 2
	}
	s := mustServe(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"index.js": witness, "mayfly.toml": witnessManifest} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.mustRun(t, "deploy", dir)
	token := s.mustToken(t)
	namespace := s.mustNamespaceID(t, token, "witness-data")
	var written []string
	for round := 0; round < rounds || len(written) == 0 && round < 20*rounds; round++ {
		acknowledged := make(chan []string, 1)
		go func() { acknowledged <- s.writeUntilGone(token, namespace, round) }()
		time.Sleep(time.Duration(50+rand.IntN(250)) * time.Millisecond)
		s.kill(t)
		written = append(written, <-acknowledged...)
		s = mustServeIn(t, s.data)
	}
	s.mustSee(t, written)
	if len(written) == 0 {
		t.Error("nothing was written")
	}
	t.Logf("%d changes", len(written))
}

func (s *server) mustNamespaceID(t *testing.T, token, title string) string {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+s.admin+"/client/v4/accounts/local/storage/kv/namespaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result []struct{ ID, Title string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, ns := range answer.Result {
		if ns.Title == title {
			return ns.ID
		}
	}
	t.Fatalf("there is no namespace %s: %+v", title, answer.Result)
	return ""
}

// writeUntilGone overwrites a few keys until the node is gone, and returns what it
// acknowledged, as "<key>/<value>".
func (s *server) writeUntilGone(token, namespace string, round int) (all []string) {
	var mu sync.Mutex // guards all
	var writers sync.WaitGroup
	for writer := range 3 {
		writers.Go(func() {
			for i := 0; ; i++ {
				key, value := fmt.Sprint("k", rand.IntN(4)), fmt.Sprintf("%d-%d-%d", round, writer, i)
				req, err := http.NewRequest("PUT", "http://"+s.admin+"/client/v4/accounts/local/storage/kv/namespaces/"+namespace+"/values/"+key, strings.NewReader(value))
				if err != nil {
					return
				}
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					mu.Lock()
					all = append(all, key+"/"+value)
					mu.Unlock()
				}
			}
		})
	}
	writers.Wait()
	return all
}

// mustSee waits until all changes have arrived, and finds none out of order.
func (s *server) mustSee(t *testing.T, want []string) {
	t.Helper()
	var missing []string
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		_, body := s.get(t, "witness")
		names := strings.Fields(body)
		slices.Sort(names)
		missing = slices.DeleteFunc(slices.Clone(want), func(change string) bool {
			_, ok := slices.BinarySearch(names, "seen/"+change)
			return ok
		})
		for _, name := range names {
			if strings.HasPrefix(name, "wrong/") {
				t.Fatalf("a change came out of order: %s", name)
			}
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Fatalf("%d of %d changes that were acknowledged never came, the first is %s", len(missing), len(want), missing[0])
}
