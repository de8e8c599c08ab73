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
	"testing"
	"time"
)

// collector keeps each payload that it gets, and answers with all of them.
const collector = `export default { async fetch(request, env) {
  if (request.method === "POST") {
    await env.SEEN.put(await request.text(), request.headers.get("mayfly-invocation-attempt"));
    return new Response("kept");
  }
  const names = [];
  for (let cursor; ;) {
    const page = await env.SEEN.list({ cursor });
    names.push(...page.keys.map(k => k.name));
    if (page.list_complete) return new Response(names.join(" "));
    cursor = page.cursor;
  }
} };`

// Whatever moment a node is killed at, a payload whose 202 was sent arrives.
func TestKilledDuringInvocations(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	s := mustServe(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"index.js": collector, "mayfly.toml": "name = \"collector\"\nmain = \"index.js\"\n[[kv_namespaces]]\nbinding = \"SEEN\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.mustRun(t, "deploy", dir)
	token := s.mustToken(t)
	total := 0
	for round := 0; round < rounds || total == 0 && round < 20*rounds; round++ {
		accepted := make(chan []string, 1)
		go func() { accepted <- s.invokeUntilGone(token, round) }()
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		s.kill(t)
		sent := <-accepted
		s = mustServeIn(t, s.data)
		s.mustCollect(t, sent)
		total += len(sent)
	}
	if total == 0 {
		t.Error("nothing was accepted")
	}
	t.Logf("%d payloads", total)
}

// invokeUntilGone has the node accept payloads until it is gone, and returns those
// that it accepted.
func (s *server) invokeUntilGone(token string, round int) (accepted []string) {
	for i := 0; ; i++ {
		payload := fmt.Sprintf("%d-%d", round, i)
		req, err := http.NewRequest("POST", "http://"+s.admin+"/client/v4/accounts/local/workers/scripts/collector/invoke?async=true", strings.NewReader(payload))
		if err != nil {
			return accepted
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return accepted
		}
		var answer struct{ Success bool }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil {
			return accepted
		}
		if resp.StatusCode == http.StatusAccepted && answer.Success {
			accepted = append(accepted, payload)
		}
	}
}

// mustCollect waits until all payloads have arrived.
func (s *server) mustCollect(t *testing.T, want []string) {
	t.Helper()
	var missing []string
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, body := s.get(t, "collector")
		seen := strings.Fields(body)
		missing = slices.DeleteFunc(slices.Clone(want), func(p string) bool { return slices.Contains(seen, p) })
		if len(missing) == 0 {
			return
		}
	}
	t.Fatalf("%d of %d payloads that were accepted never came, the first is %s", len(missing), len(want), missing[0])
}
