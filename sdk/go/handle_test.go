package mayfly_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestHandlerThatDoesNotAnswer(t *testing.T) {
	tests := map[string]struct {
		resp *mayfly.Response
		err  error
		log  string
	}{
		"error":              {nil, errors.New("out of luck"), "out of luck"},
		"error and response": {mayfly.Text(200, "x"), errors.New("out of luck"), "out of luck"},
		"nothing":            {nil, nil, "handler returned no response"},
		"bad status":         {mayfly.Text(99, ""), nil, "respond: status must be 200 to 599"},
		"bad header":         {mayfly.Text(200, "").With("a b", "c"), nil, "respond: header name a b is not a token"},
		"NUL in header":      {mayfly.Text(200, "").With("a", "b\x00c"), nil, "respond: NUL in header field a"},
		"split header":       {mayfly.Text(200, "").With("a", "b\r\nc: d"), nil, "respond: value of header a has control characters or white space around it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var node mayflytest.Node
			w := serve(&node, func(*mayfly.Request) (*mayfly.Response, error) { return tt.resp, tt.err }, "GET", "/", "")
			if w.Code != 500 || w.Body.String() != "Internal Server Error\n" {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			wantLog(t, &node, mayflytest.Entry{Level: mayfly.LevelError, Text: tt.log})
		})
	}
}

func TestPanicIsPassedOn(t *testing.T) {
	defer func() {
		if got := recover(); got != "ouch" {
			t.Errorf("recovered %v", got)
		}
		run(t, new(mayflytest.Node), func() {}) // the next request runs
	}()
	run(t, new(mayflytest.Node), func() { panic("ouch") })
}

func TestResponses(t *testing.T) {
	tests := map[string]struct {
		resp              *mayfly.Response
		status            int
		contentType, body string
	}{
		"text":   {mayfly.Text(201, "a"), 201, "text/plain; charset=utf-8", "a"},
		"html":   {mayfly.HTML(404, "<a>"), 404, "text/html; charset=utf-8", "<a>"},
		"bytes":  {mayfly.Bytes(200, "image/png", []byte{1}), 200, "image/png", "\x01"},
		"zero":   {&mayfly.Response{}, 200, "", ""},
		"with":   {mayfly.Text(200, "a").With("Content-Type", "x/y"), 200, "x/y", "a"},
		"stream": {mayfly.Stream(203, words("a", "b")).With("Content-Type", "x/y"), 203, "x/y", "ab"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := serve(new(mayflytest.Node), func(*mayfly.Request) (*mayfly.Response, error) { return tt.resp, nil }, "GET", "/", "")
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType || w.Body.String() != tt.body {
				t.Errorf("got %d %q %q", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	w := serve(new(mayflytest.Node), func(*mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Redirect(303, "/there"), nil
	}, "GET", "/", "")
	if w.Code != 303 || w.Header().Get("Location") != "/there" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func words(words ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, word := range words {
			if _, err := io.WriteString(w, word); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestStreamGoesOutWriteByWrite(t *testing.T) {
	seen := make(chan struct{})
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Stream(200, func(w io.Writer) error {
			io.WriteString(w, "one")
			<-seen
			_, err := io.WriteString(w, "two")
			return err
		}), nil
	})
	server := httptest.NewServer(new(mayflytest.Node))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 10)
	n, _ := resp.Body.Read(buf)
	close(seen)
	rest, err := io.ReadAll(resp.Body)
	if string(buf[:n]) != "one" || string(rest) != "two" || err != nil {
		t.Errorf("got %q, then %q, %v", buf[:n], rest, err)
	}
}

func TestStreamThatFailsIsCut(t *testing.T) {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Stream(200, func(w io.Writer) error {
			io.WriteString(w, "one")
			return errors.New("source dried up")
		}), nil
	})
	var node mayflytest.Node
	server := httptest.NewServer(&node)
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("read %q without an error", body)
	}
	wantLog(t, &node, mayflytest.Entry{Level: mayfly.LevelError, Text: "stream response: source dried up"})
}
