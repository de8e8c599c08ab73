package mayfly_test

import (
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestEnv(t *testing.T) {
	node := &mayflytest.Node{Env: map[string]string{"B": "2", "A": ""}}
	run(t, node, func() {
		if v, ok := mayfly.Env("B"); v != "2" || !ok {
			t.Errorf("B: %q, %v", v, ok)
		}
		if v, ok := mayfly.Env("A"); v != "" || !ok {
			t.Errorf("A: %q, %v", v, ok)
		}
		if v, ok := mayfly.Env("C"); v != "" || ok {
			t.Errorf("C: %q, %v", v, ok)
		}
		if got := mayfly.EnvNames(); !slices.Equal(got, []string{"A", "B"}) {
			t.Errorf("names: %q", got)
		}
	})
}

func TestTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run(t, new(mayflytest.Node), func() {
			before := mayfly.TimeLeft()
			time.Sleep(time.Second)
			if got := before - mayfly.TimeLeft(); got != time.Second {
				t.Errorf("a second took %v", got)
			}
		})
	})
}

func TestLog(t *testing.T) {
	var node mayflytest.Node
	run(t, &node, func() {
		mayfly.Log(mayfly.LevelDebug, "a")
		mayfly.Log(mayfly.LevelWarn, "b\nc")
	})
	wantLog(t, &node, mayflytest.Entry{Level: 0, Text: "a"}, mayflytest.Entry{Level: 2, Text: "b\nc"})
}

func TestOutsideOfRequestPanics(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "there is no request") {
			t.Errorf("recovered %q", text)
		}
	}()
	mayfly.Env("A")
}

// steps records in which order things happen.
type steps struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex // guards list
	list []string
}

func (s *steps) add(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, step)
}

func (s *steps) WriteHeader(status int) {
	s.add("response")
	s.ResponseRecorder.WriteHeader(status)
}

func TestWaitUntil(t *testing.T) {
	s := &steps{ResponseRecorder: httptest.NewRecorder()}
	var bodyErr error
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) {
		body := req.Body()
		mayfly.WaitUntil(func() {
			s.add("first")
			_, bodyErr = io.ReadAll(body)
			nested := make(chan struct{})
			mayfly.WaitUntil(func() { s.add("second"); close(nested) })
			<-nested
			s.add("third")
		})
		s.add("handler")
		return mayfly.Text(200, "ok"), nil
	})
	new(mayflytest.Node).ServeHTTP(s, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	if want := []string{"handler", "response", "first", "second", "third"}; !slices.Equal(s.list, want) {
		t.Errorf("got %q, want %q", s.list, want)
	}
	if bodyErr == nil {
		t.Error("the request's body can be read after the response")
	}
}

func TestWaitUntilAfterStream(t *testing.T) {
	var done bool
	w := serve(new(mayflytest.Node), func(*mayfly.Request) (*mayfly.Response, error) {
		mayfly.WaitUntil(func() { done = true })
		return mayfly.Stream(200, words("a")), nil
	}, "GET", "/", "")
	if !done || w.Body.String() != "a" {
		t.Errorf("done %v, body %q", done, w.Body)
	}
}
