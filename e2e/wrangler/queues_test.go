package wrangler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mailer sends to a queue of which it is the consumer, and wants again what is bad.
const mailer = `export default {
  async fetch(request, env) {
    await env.MAILS.sendBatch([{ body: { path: new URL(request.url).pathname } }, { body: "bad", contentType: "text" }]);
    return new Response(env.MAILS.constructor.name);
  },
  async queue(batch, env) {
    for (const message of batch.messages) {
      if (message.body === "bad") message.retry();
    }
  },
};
`

// The order counts: each step builds on those before, but on none that is long.
var queueSteps = []step{
	{args: "deploy", want: `Queue "mails" does not exist. To create it, run: wrangler queues create mails`, fails: true},
	{args: "queues create mails --delivery-delay-secs 1", want: `Created queue 'mails'`},
	{args: "queues create mails", want: `queue "mails" already exists`, fails: true, long: true},
	{args: "queues create later", want: `Created queue 'later'`}, // deploy asks for both at once
	{args: "queues update mails --delivery-delay-secs 0 --message-retention-period-secs 3600", want: `Updated queue mails`},
	{args: "deploy", want: `(?s)Producer for mails.*Consumer for mails`, answer: "Queue"},
	{args: "queues list", want: `(?s)│ mails .*│ 1 +│ 1 .*│ mails-dead `},
	{args: "queues info mails", want: `(?s)Producers: worker:hello.*Consumers: worker:hello`, long: true},
	{args: "queues consumer list mails", want: `│ hello +│ mails-dead +│ 5 +│ 1 +│ 1000 +│ 2 +│ - `},
	{args: "deploy plain.js", want: `Function hello is the consumer of queue "mails", and this version has no queue handler`, fails: true, long: true},
	{args: "deploy", want: `Consumer for mails`, answer: "Queue", long: true}, // again: the consumer is there already
	{args: "queues pause-delivery mails", want: `Paused message delivery`},
	{args: "queues resume-delivery mails", want: `Resumed message delivery`, long: true},
	{args: "queues purge mails-dead --force", want: `Purged Queue 'mails-dead'`},
	{args: "queues consumer remove mails hello", want: `Removed consumer from queue mails`},
	{args: "queues consumer http add mails --visibility-timeout-secs 10 --batch-size 3", want: `Added consumer to queue mails`},
	{args: "queues consumer list mails", want: `(?s)HTTP pull consumers.*│ - +│ 3 +│ 3 +│ 10000 `, long: true},
	{args: "queues consumer http remove mails", want: `Removed consumer from queue mails`},
	{args: "queues consumer add mails hello --batch-size 7 --retry-delay-secs 2", want: `Added consumer to queue mails`},
	{args: "queues delete mails", want: `Function hello sends to queue "mails"`, fails: true, long: true},
	{args: "delete --force", want: `Successfully deleted hello`},
	{args: "queues delete mails", want: `Deleted queue mails`},
	{args: "queues delete mails", want: `Queue "mails" does not exist`, fails: true, long: true},
}

func TestWranglerQueues(t *testing.T) {
	n := startNode(t)
	w := newWrangler(t, n)
	for name, text := range map[string]string{
		"wrangler.toml": `name = "hello"
main = "index.js"
compatibility_date = "2025-01-01"
[[queues.producers]]
binding = "MAILS"
queue = "mails"
[[queues.producers]]
binding = "LATER"
queue = "later"
[[queues.consumers]]
queue = "mails"
max_batch_size = 5
max_batch_timeout = 1
max_retries = 1
max_concurrency = 2
dead_letter_queue = "mails-dead"
`,
		"index.js": mailer,
		"plain.js": "export default { fetch: () => new Response('plain') };\n",
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range queueSteps {
		if s.long && os.Getenv("MAYFLY_TORTURE") == "" {
			continue // it makes the test as long again
		}
		w.mustRun(t, s)
		if s.answer == "" {
			continue
		}
		if got := n.mustAsk(t); got != s.answer {
			t.Fatalf("after wrangler %s the Function answers %s, want %s", s.args, got, s.answer)
		}
		n.mustDeadLetter(t)
	}
}

// mustDeadLetter waits until a message that is bad has gone to the dead letter queue.
func (n *node) mustDeadLetter(t *testing.T) {
	t.Helper()
	for start := time.Now(); !strings.Contains(n.log.String(), "message goes to the dead letter queue"); time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 3*time.Minute {
			t.Fatalf("nothing goes to the dead letter queue: %s", n.log)
		}
	}
}
