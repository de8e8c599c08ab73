package mayfly_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// get sends a request to the registered handler and prints the answer.
func get(node *mayflytest.Node, path string) {
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	fmt.Print(w.Code, " ", w.Body)
}

func ExampleHandle() {
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) { // in func init
		return mayfly.Text(200, "Hello from "+req.Path()+"\n"), nil
	})
	get(new(mayflytest.Node), "/there")
	// Output: 200 Hello from /there
}

func ExampleKV() {
	visits := mayfly.KV("VISITS")
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		for {
			last, err := visits.Get("last") // zero if there is none
			if err != nil && !errors.Is(err, mayfly.ErrNotFound) {
				return nil, err
			}
			_, err = visits.Put("last", append(last.Value, '!'), mayfly.IfRevision(last.Revision), mayfly.TTL(time.Hour))
			if errors.Is(err, mayfly.ErrConflict) {
				continue // another request was faster
			}
			return mayfly.Bytes(200, "text/plain", append(last.Value, "!\n"...)), err
		}
	})
	var node mayflytest.Node
	node.KV("VISITS").Put("last", "hi")
	get(&node, "/")
	get(&node, "/")
	// Output:
	// 200 hi!
	// 200 hi!!
}

func ExampleFetch() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		resp, err := mayfly.Fetch(ctx, &mayfly.FetchRequest{URL: "https://example.com/"})
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		return mayfly.Text(resp.Status, string(body)), err
	})
	upstream := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "This is", r.Host) }
	get(&mayflytest.Node{Upstream: http.HandlerFunc(upstream)}, "/")
	// Output: 200 This is example.com
}

func ExampleStream() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Stream(200, func(w io.Writer) error {
			out := bufio.NewWriter(w)
			for i := range 3 {
				fmt.Fprintln(out, "line", i+1)
			}
			return out.Flush()
		}), nil
	})
	get(new(mayflytest.Node), "/")
	// Output:
	// 200 line 1
	// line 2
	// line 3
}

func ExampleWaitUntil() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		mayfly.WaitUntil(func() { mayfly.Log(mayfly.LevelInfo, "after the response") })
		return mayfly.Text(200, "ok\n"), nil
	})
	var node mayflytest.Node
	get(&node, "/")
	fmt.Println(node.Logs()[0].Text)
	// Output:
	// 200 ok
	// after the response
}

func ExampleEnv() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		greeting, ok := mayfly.Env("GREETING")
		if !ok {
			return nil, errors.New("the variable GREETING is not set")
		}
		return mayfly.Text(200, greeting+"\n"), nil
	})
	get(&mayflytest.Node{Env: map[string]string{"GREETING": "Good evening"}}, "/")
	// Output: 200 Good evening
}

func ExampleHandleQueue() {
	mayfly.HandleQueue(func(b *mayfly.Batch) error {
		for _, m := range b.Messages {
			if !deliver(m.Body) {
				m.RetryAfter(time.Duration(m.Attempts) * time.Minute)
			}
		}
		return nil // the others are done with
	})
}

func deliver([]byte) bool { return true }

func ExampleQueue() {
	mails := mayfly.Queue("MAILS")
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) {
		text, err := io.ReadAll(req.Body())
		if err != nil {
			return nil, err
		}
		if err := mails.Send(mayfly.JSONMessage(text).After(time.Minute)); err != nil {
			return nil, err
		}
		return mayfly.Text(202, "sent soon\n"), nil
	})
}

func ExampleHandleKV() {
	titles := mayfly.KV("TITLES")
	mayfly.HandleKV(func(e *mayfly.KVEvent) error {
		if e.Deleted {
			return titles.Delete(e.Key)
		}
		title, _, _ := bytes.Cut(e.Value, []byte("\n"))
		_, err := titles.Put(e.Key, title)
		return err
	})
}
