package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// worker changes things on nodes that it draws, and keeps what was acknowledged.
type worker struct {
	t     testing.TB
	n     *nodes
	name  string // of what it has for itself
	steps int

	module    []byte          // of its Function; nil: there is none
	unknown   bool            // the last change of it may have been made or not
	tokens    map[string]bool // text: revoked
	titles    map[string]bool // of namespaces: deleted
	numbers   []int           // of Versions of the Function that all deploy
	mayBeMore bool            // of them
}

func (w *worker) node() *deploy.Registry { return w.n.all[rand.IntN(len(w.n.all))] }

// refused says whether a change was not made, and the user was told why.
func refused(err error) bool {
	e, ok := errors.AsType[*host.Error](err)
	return ok && e.Code != host.CodeUnavailable
}

func (w *worker) run(ctx context.Context) {
	for range w.steps {
		switch rand.IntN(8) {
		case 0, 1:
			w.deployOwn(ctx)
		case 2:
			w.deleteOwn(ctx)
		case 3:
			w.deployShared(ctx)
		case 4:
			w.secret(ctx)
		case 5:
			w.token(ctx)
		case 6:
			w.namespace(ctx)
		case 7:
			w.route(ctx)
		}
	}
}

func (w *worker) deployOwn(ctx context.Context) {
	module := guest(byte(rand.IntN(5)))
	_, err := w.node().Deploy(ctx, deploy.Local, w.name, deploy.Upload{Module: module})
	w.unknown = err != nil
	if err == nil {
		w.module = module
	}
	w.check("deploy", err, false)
}

func (w *worker) deleteOwn(ctx context.Context) {
	err := w.node().Delete(ctx, deploy.Local, w.name, false)
	if err == nil {
		w.module, w.unknown = nil, false
	} else if !refused(err) {
		w.unknown = true
	}
	w.check("delete", err, w.module == nil || w.unknown)
}

func (w *worker) deployShared(ctx context.Context) {
	v, err := w.node().Deploy(ctx, deploy.Local, "shared", deploy.Upload{Module: guest(byte(rand.IntN(3)))})
	w.count(v, err)
	w.check("deploy shared", err, false)
}

func (w *worker) secret(ctx context.Context) {
	text := fmt.Sprint(rand.IntN(100))
	v, err := w.node().SetSecrets(ctx, deploy.Local, "shared", "", map[string]*string{"KEY": &text})
	w.count(v, err)
	w.check("secret", err, true) // it may not be there yet
}

func (w *worker) count(v deploy.Version, err error) {
	if err == nil {
		w.numbers = append(w.numbers, v.Number)
	} else if !refused(err) {
		w.mayBeMore = true
	}
}

func (w *worker) token(ctx context.Context) {
	for text, revoked := range w.tokens {
		if revoked || rand.IntN(2) == 0 {
			continue
		}
		r := w.node()
		t, _ := r.Authenticate(text)
		if t.ID == "" {
			continue // that node has not heard of it
		}
		r.NoteUse(ctx, t)
		err := w.node().RevokeToken(ctx, "", t.ID)
		if err == nil {
			w.tokens[text] = true
		} else {
			delete(w.tokens, text)
		}
		w.check("revoke", err, false)
		return
	}
	text, _, err := w.node().CreateToken(ctx, deploy.TokenRequest{Name: w.name})
	if err == nil {
		w.tokens[text] = false
	}
	w.check("token", err, false)
}

func (w *worker) namespace(ctx context.Context) {
	title := fmt.Sprintf("%s-%d", w.name, len(w.titles))
	ns, err := w.node().CreateNamespace(ctx, deploy.Local, title)
	if err == nil {
		w.titles[title] = false
	}
	w.check("namespace", err, false)
	if err != nil || rand.IntN(2) == 0 {
		return
	}
	err = w.node().DeleteNamespace(ctx, deploy.Local, ns.ID)
	if err == nil {
		w.titles[title] = true
	} else {
		delete(w.titles, title)
	}
	w.check("delete namespace", err, false)
}

// route claims one of a few that all want.
func (w *worker) route(ctx context.Context) {
	_, err := w.node().SetRoutes(ctx, deploy.Local, w.name, routes(w.t, fmt.Sprintf("%d.example.com/*", rand.IntN(3))))
	w.check("routes", err, true)
}

// check is about errors that nothing explains.
func (w *worker) check(what string, err error, mayRefuse bool) {
	switch {
	case err == nil, mayRefuse && refused(err), errors.Is(err, kv.ErrUnavailable):
	default:
		if e, ok := errors.AsType[*host.Error](err); ok && (e.Code == host.CodeConflict || e.Code == host.CodeUnavailable) {
			return
		}
		w.t.Errorf("%s: %s: %v", w.name, what, err)
	}
}

// found compares what the worker knows with what is there now.
func (w *worker) found(t *testing.T, r *deploy.Registry) {
	t.Helper()
	module, _, err := r.Download(t.Context(), deploy.Local, w.name)
	if err == nil {
		if !w.unknown && string(module) != string(w.module) {
			t.Errorf("%s: another module serves than was deployed last", w.name)
		}
	} else if !w.unknown && w.module != nil {
		t.Errorf("%s: its Function is lost: %v", w.name, err)
	}
	for text, revoked := range w.tokens {
		if _, good := r.Authenticate(text); good == revoked {
			t.Errorf("%s: a token is good: %v, and revoked: %v", w.name, good, revoked)
		}
	}
	list, err := r.Namespaces(deploy.Local)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, ns := range list {
		there[ns.Title] = true
	}
	for title, deleted := range w.titles {
		if there[title] == deleted {
			t.Errorf("namespace %s is there: %v, and deleted: %v", title, there[title], deleted)
		}
	}
}

// hammer has workers change what they like on all nodes, and then compares.
func hammer(t *testing.T, n *nodes, steps int) {
	var workers []*worker
	var wg sync.WaitGroup
	for i := range 4 {
		w := &worker{t: t, n: n, name: fmt.Sprintf("own%d", i), steps: steps, tokens: map[string]bool{}, titles: map[string]bool{}}
		workers = append(workers, w)
		wg.Go(func() { w.run(context.WithoutCancel(t.Context())) })
	}
	wg.Wait()
	for _, s := range n.stores {
		s.Cut(false)
	}
	n.agree(t)
	fresh := n.all[len(n.all)-1]
	numbers, more := map[int]bool{}, false
	for _, w := range workers {
		w.found(t, fresh)
		more = more || w.mayBeMore
		for _, number := range w.numbers {
			if numbers[number] {
				t.Errorf("two changes made version %d", number)
			}
			numbers[number] = true
		}
	}
	f, _, err := fresh.Function(deploy.Local, "shared")
	if len(numbers) > 0 && (err != nil || f.Latest < len(numbers) || !more && f.Latest > len(numbers)) {
		t.Errorf("got %d versions of the shared Function, %v, and %d were made", f.Latest, err, len(numbers))
	}
	taken := map[string]string{}
	held, err := fresh.Routes(deploy.Local)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if other := taken[h.Pattern.String()]; other != "" {
			t.Errorf("route %s belongs to %s and %s", h.Pattern, other, h.Function)
		}
		taken[h.Pattern.String()] = h.Function
	}
	n.tidy(t)
}

func TestClusterHammer(t *testing.T) {
	steps := 25
	if torture() {
		steps = 400
	}
	hammer(t, newNodes(t, 3, hasty()), steps)
}

// TestClusterFaults cuts nodes off while they change things, for longer than a lease
// lasts.
func TestClusterFaults(t *testing.T) {
	steps := 25
	if torture() {
		steps = 400
	}
	cfg := hasty()
	cfg.Cluster.Lease = time.Second     // lost at times where the machine is busy: that is an error of the change
	cfg.Cluster.Grace = 3 * time.Second // more than a write may be on its way
	n := newNodes(t, 3, cfg)
	ctx, stop := context.WithCancel(t.Context())
	var faults sync.WaitGroup
	for _, s := range n.stores {
		faults.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
				s.Cut(true)
				time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
				s.Cut(false)
			}
		})
	}
	defer faults.Wait()
	defer stop()
	time.AfterFunc(time.Duration(steps)*100*time.Millisecond, stop)
	hammer(t, n, steps)
}

// TestClusterDeadHolder: a node that dies in the middle of a change holds up the others
// for as long as its lease lasts, and leaves nothing half done.
func TestClusterDeadHolder(t *testing.T) {
	for _, torn := range []bool{false, true} {
		t.Run(fmt.Sprintf("torn %v", torn), func(t *testing.T) {
			t.Parallel()
			n := newNodes(t, 1, deploy.Config{})
			eventually(t, "it has the duties", func() bool { return holds(t, n, "node/locks/duties") }) // which the one that dies would write
			old := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(1)})
			c := &crash{left: 4, torn: torn} // the next write is that of the Function's record
			n.dieDeploying(t, c)
			n.shorten(t, time.Second)
			want := 2
			if torn {
				want = 3
			} else if got := lookup(n.all[0], "hello.localhost", "/"); got != old.ID {
				t.Errorf("got version %q, want the old one", got)
			}
			v := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(3)})
			if v.Number != want {
				t.Errorf("got number %d, want %d", v.Number, want)
			}
			n.serves(t, "hello.localhost", v.ID)
			n.agree(t)
		})
	}
}

// dieDeploying deploys on a node that dies meanwhile.
func (n *nodes) dieDeploying(t *testing.T, c *crash) {
	t.Helper()
	store := n.cluster.Join(someLag)
	defer store.Close()
	cfg := deploy.Config{Cluster: &deploy.Cluster{Node: "dying", Lease: 2 * time.Minute}}
	dying, err := node{syncing{c.store(store), store}, n.blobs}.tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer dying.Close()
	if _, err := dying.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: guest(2)}); !errors.Is(err, errCrashed) {
		t.Fatalf("got %v", err)
	}
}

// shorten has the lease of a node that died end soon. While it lived, a short one would
// have been renewed on a busy machine, or lost.
func (n *nodes) shorten(t *testing.T, ttl time.Duration) {
	t.Helper()
	const key = "node/locks/changes"
	e, err := n.cluster.Truth().Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(e.Value, &record); err != nil || record["owner"] != "dying" {
		t.Fatalf("the lease is %s, %v", e.Value, err)
	}
	record["ttl_ms"] = ttl.Milliseconds()
	value, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.stores[0].Put(t.Context(), key, value, kv.PutOptions{If: kv.IfRevision(e.Revision)}); err != nil {
		t.Fatal(err)
	}
}

// syncing is a Store whose writes fail, but that can be synced.
type syncing struct {
	kv.Store
	store kv.Store
}

func (s syncing) Sync(ctx context.Context) error { return kv.Sync(ctx, s.store) }
