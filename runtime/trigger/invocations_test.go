package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// mailbox is the surroundings of Invocations: Functions that the test plays. What a
// payload says is what becomes of it.
type mailbox struct {
	t     *testing.T
	store kv.Store
	log   *logtest.Buffer
	began time.Time

	mu        sync.Mutex // guards what follows
	functions map[string]deploy.Function
	elsewhere map[string]bool // Functions that only other nodes know yet
	got       []string        // "<function> <attempt> <payload> +<time>"
	ended     int             // of those that would go on for ever
}

func newMailbox(t *testing.T) *mailbox {
	p := &mailbox{t: t, store: memkv.New(memkv.Config{}), log: new(logtest.Buffer), began: time.Now(), functions: map[string]deploy.Function{}, elsewhere: map[string]bool{}}
	p.set("job", nil)
	return p
}

func (p *mailbox) set(name string, c *deploy.InvokeConfig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.functions[name] = deploy.Function{Account: "local", Name: name, Invoke: c}
}

func (p *mailbox) Function(account, name string) (deploy.Function, deploy.Version, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.functions[name]
	if !ok {
		return f, deploy.Version{}, host.Errorf(host.CodeNotFound, "Function %q does not exist", name)
	}
	return f, deploy.Version{}, nil
}

func (p *mailbox) Deployed(_ context.Context, account, name string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, there := p.functions[name]
	return there || p.elsewhere[name], nil
}

func (p *mailbox) Entries(account, namespace string) (kv.Store, error) {
	if namespace != "space" {
		return nil, host.Errorf(host.CodeNotFound, "there is no namespace %q", namespace)
	}
	return kv.Sub(p.store, "kv/space/"), nil
}

func (p *mailbox) deliver(ctx context.Context, f deploy.Function, m trigger.Payload) (trigger.Ran, int, error) {
	p.mu.Lock()
	p.got = append(p.got, fmt.Sprintf("%s %d %s +%v", f.Name, m.Attempt, m.Body, time.Since(p.began)))
	p.mu.Unlock()
	switch text := strings.TrimSpace(string(m.Body)); {
	case text == "trap", text == "once" && m.Attempt == 1:
		return trigger.Ran{Outcome: host.OutcomeException, Err: errors.New("it broke")}, 0, nil
	case text == "500":
		return trigger.Ran{}, 500, nil
	case text == "refused":
		return trigger.Ran{}, 0, host.Errorf(host.CodeUnavailable, "no place")
	case text == "long":
		<-ctx.Done()
		p.mu.Lock()
		p.ended++
		p.mu.Unlock()
		return trigger.Ran{Outcome: host.OutcomeCanceled}, 0, nil
	}
	return trigger.Ran{}, 404, nil // which is an answer
}

func (p *mailbox) start() *trigger.Invocations {
	p.t.Helper()
	return p.startWith(trigger.InvocationsConfig{})
}

func (p *mailbox) startWith(cfg trigger.InvocationsConfig) *trigger.Invocations {
	p.t.Helper()
	cfg.Registry, cfg.Deliver, cfg.Logger = p, p.deliver, slog.New(slog.NewTextHandler(p.log, nil))
	if cfg.Store == nil {
		cfg.Store = p.store
	}
	i, err := trigger.NewInvocations(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return i
}

func (p *mailbox) accept(i *trigger.Invocations, payload string) string {
	p.t.Helper()
	id, err := i.Accept(p.t.Context(), p.functions["job"], "text/plain", []byte(payload))
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// want compares what was delivered, and how many records are left.
func (p *mailbox) want(left int, want ...string) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.got, want) {
		p.t.Errorf("got %q, want %q", p.got, want)
	}
	page, err := p.store.List(p.t.Context(), kv.ListOptions{Prefix: "node/invocations/"})
	if err != nil || len(page.Entries) != left {
		p.t.Errorf("%d records are left, %v; want %d", len(page.Entries), err, left)
	}
}

func (p *mailbox) put(key, value string) {
	p.t.Helper()
	if _, err := p.store.Put(p.t.Context(), key, []byte(value), kv.PutOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

func over(i *trigger.Invocations) { i.Shutdown(context.Background()) }

func TestInvocations(t *testing.T) {
	for payload, want := range map[string][]string{
		"fine":    {"job 1 fine +0s"},
		"once":    {"job 1 once +0s", "job 2 once +1m0s"},
		"trap":    {"job 1 trap +0s", "job 2 trap +1m0s", "job 3 trap +3m0s"},
		"500":     {"job 1 500 +0s", "job 2 500 +1m0s", "job 3 500 +3m0s"},
		"refused": {"job 1 refused +0s", "job 2 refused +1m0s", "job 3 refused +3m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newMailbox(t)
			i := p.start()
			defer over(i)
			p.accept(i, payload)
			time.Sleep(time.Hour)
			p.want(0, want...)
		})
	}
}

// A failure goes to another Function, or to a KV namespace; what fails there is lost.
func TestInvocationFails(t *testing.T) {
	none := 0
	for _, to := range []deploy.Destination{{Function: "morgue"}, {Namespace: "space"}, {Function: "nobody"}, {Namespace: "none"}} {
		synctest.Test(t, func(t *testing.T) {
			p := newMailbox(t)
			p.set("job", &deploy.InvokeConfig{MaxRetries: &none, Failures: to})
			p.set("morgue", &deploy.InvokeConfig{Failures: deploy.Destination{Function: "job"}})
			i := p.start()
			defer over(i)
			id := p.accept(i, "trap")
			synctest.Wait()
			failure := fmt.Sprintf(`{"id":%q,"function":"job","accepted":"2000-01-01T00:00:00Z","attempts":1,"error":"it broke","content_type":"text/plain","payload":"trap"}`, id)
			switch to {
			case deploy.Destination{Function: "morgue"}:
				p.want(0, "job 1 trap +0s", "morgue 1 "+failure+" +0s")
			case deploy.Destination{Namespace: "space"}:
				p.want(0, "job 1 trap +0s")
				e, err := p.store.Get(t.Context(), "kv/space/failed/job/"+id)
				if err != nil || string(e.Value) != failure || !json.Valid(e.Value) {
					t.Errorf("got %s, %v; want %s", e.Value, err, failure)
				}
			default:
				p.want(0, "job 1 trap +0s")
			}
		})
	}
}

// What waits goes on after a restart, and after a crash, where it was.
func TestInvocationsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		killed := p.start()
		p.accept(killed, "trap")
		synctest.Wait()
		over(killed) // between two attempts; nothing is written then
		time.Sleep(30 * time.Second)
		i := p.start()
		time.Sleep(31 * time.Second)
		p.want(1, "job 1 trap +0s", "job 2 trap +1m0s")
		over(i)
		time.Sleep(time.Hour)
		i = p.start()
		defer over(i)
		p.want(0, "job 1 trap +0s", "job 2 trap +1m0s", "job 3 trap +1h1m1s")
	})
}

// A crash in the middle of an attempt counts as one.
func TestInvocationInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		killed := p.start()
		p.accept(killed, "long")
		synctest.Wait()
		again := p.start()
		p.want(1, "job 1 long +0s", "job 2 long +0s")
		third := p.start()
		synctest.Wait()
		fourth := p.start()
		p.want(0, "job 1 long +0s", "job 2 long +0s", "job 3 long +0s")
		for _, i := range []*trigger.Invocations{killed, again, third, fourth} {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			i.Shutdown(ctx)
		}
	})
}

// A shutdown that cuts an attempt off does not count as a failure.
func TestInvocationsShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.start()
		p.accept(i, "long")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		i.Shutdown(ctx)
		p.accept(i, "fine") // is kept
		p.want(2, "job 1 long +0s")
		i = p.start()
		synctest.Wait()
		p.mu.Lock()
		slices.Sort(p.got)
		p.mu.Unlock()
		p.want(1, "job 1 fine +5s", "job 1 long +0s", "job 1 long +5s")
		cancel()
		i.Shutdown(ctx)
	})
}

func TestInvocationsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.start()
		defer over(i)
		_, err := i.Accept(t.Context(), p.functions["job"], "", make([]byte, trigger.MaxAsyncPayload+1))
		if host.CodeOf(err) != host.CodeTooLarge {
			t.Errorf("got %v", err)
		}
		gone := p.functions["job"]
		delete(p.functions, "job")
		if _, err := i.Accept(t.Context(), gone, "", nil); err != nil {
			t.Fatal(err)
		}
		p.want(0)
	})
}

// Forget leaves nothing of a Function, and nothing of others undone.
func TestInvocationsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.start()
		defer over(i)
		p.accept(i, "trap")
		synctest.Wait()
		if err := i.Forget(t.Context(), "local", "job"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		p.want(0, "job 1 trap +0s")
	})
}
