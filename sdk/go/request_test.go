package mayfly_test

import (
	"io"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestRequest(t *testing.T) {
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) {
		for _, got := range [][2]string{
			{req.Method(), "PUT"},
			{req.URL(), "https://example.com/a%20b/c?d=e"},
			{req.Path(), "/a%20b/c"},
			{req.Header("X-ONE"), "1"},
			{req.Header("x-none"), ""},
			{req.Client(), "192.0.2.1"},
		} {
			if got[0] != got[1] {
				t.Errorf("got %q, want %q", got[0], got[1])
			}
		}
		want := mayfly.Header{{"host", "example.com"}, {"x-one", "1"}, {"x-two", "2"}, {"x-two", "3"}}
		if got := req.Headers(); !slices.Equal(got, want) {
			t.Errorf("headers %q, want %q", got, want)
		}
		if req.Body() != req.Body() {
			t.Error("another body with the second call")
		}
		body, err := io.ReadAll(req.Body())
		if string(body) != "" || err != nil {
			t.Errorf("body %q, %v", body, err)
		}
		return mayfly.Text(200, ""), nil
	})
	r := httptest.NewRequest("PUT", "https://example.com/a%20b/c?d=e", nil)
	r.Header = map[string][]string{"X-One": {"1"}, "X-Two": {"2", "3"}, "Connection": {"close"}}
	new(mayflytest.Node).ServeHTTP(httptest.NewRecorder(), r)
}

func TestRequestPath(t *testing.T) {
	for url, want := range map[string]string{
		"http://example.com":         "/",
		"http://example.com/":        "/",
		"http://example.com?a=/b":    "/",
		"http://example.com/a?b=/c":  "/a",
		"http://example.com/a%2Fb/":  "/a%2Fb/",
		"http://example.com/a://b/c": "/a://b/c",
	} {
		serve(new(mayflytest.Node), func(req *mayfly.Request) (*mayfly.Response, error) {
			if got := req.Path(); got != want {
				t.Errorf("path of %s: %q, want %q", url, got, want)
			}
			return mayfly.Text(200, ""), nil
		}, "GET", url, "")
	}
}

func TestEcho(t *testing.T) {
	w := serve(new(mayflytest.Node), func(req *mayfly.Request) (*mayfly.Response, error) {
		body, err := io.ReadAll(req.Body())
		return mayfly.Bytes(200, req.Header("content-type"), body), err
	}, "POST", "/", "a body")
	if got, want := w.Body.String(), "a body"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHeader(t *testing.T) {
	var h mayfly.Header
	h.Add("Vary", "a")
	h.Add("X", "1")
	h.Add("vary", "b")
	if got := h.Get("VARY"); got != "a" {
		t.Errorf("Get: %q", got)
	}
	if got := h.Values("VARY"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Values: %q", got)
	}
	h.Set("Vary", "c")
	if want := (mayfly.Header{{"X", "1"}, {"Vary", "c"}}); !slices.Equal(h, want) {
		t.Errorf("after Set: %q, want %q", h, want)
	}
	h.Del("x")
	if want := (mayfly.Header{{"Vary", "c"}}); !slices.Equal(h, want) {
		t.Errorf("after Del: %q, want %q", h, want)
	}
	if got := h.Get("x") + mayfly.Header(nil).Get("x"); got != "" {
		t.Errorf("Get of nothing: %q", got)
	}
}
