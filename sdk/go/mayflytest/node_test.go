package mayflytest_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func ExampleNode() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) { // the Function's func init
		greeting, _ := mayfly.Env("GREETING")
		mayfly.Log(mayfly.LevelInfo, "greeting somebody")
		return mayfly.Text(200, greeting), nil
	})

	node := &mayflytest.Node{Env: map[string]string{"GREETING": "Hi"}}
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Body, node.Logs())
	// Output: 200 Hi [{1 greeting somebody}]
}

func TestKVFromOutside(t *testing.T) {
	var node mayflytest.Node
	kv := node.KV("KV")
	kv.Put("b", "2")
	kv.BeforePut = func(string) { kv.Put("c", "3") }
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		e, err := mayfly.KV("KV").Get("b")
		if err != nil {
			return nil, err
		}
		_, err = mayfly.KV("KV").Put("a", e.Value)
		return mayfly.Text(200, ""), err
	})
	node.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got, want := kv.Keys(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q, log %v", got, want, node.Logs())
	}
	if got, ok := kv.Get("a"); got != "2" || !ok {
		t.Errorf("a is %q, %v", got, ok)
	}
	if node.KV("KV") != kv {
		t.Error("another namespace under the same name")
	}
}

func TestRequestsRunOneAfterTheOther(t *testing.T) {
	running, count := 0, 0
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		running++
		if running != 1 {
			t.Errorf("%d requests run", running)
		}
		running--
		count++
		return mayfly.Text(200, ""), nil
	})
	var node mayflytest.Node
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { node.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)) })
	}
	wg.Wait()
	if count != 50 {
		t.Errorf("%d requests ran, want 50", count)
	}
}
