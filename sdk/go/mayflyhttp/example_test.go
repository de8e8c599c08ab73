package mayflyhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflyhttp"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func ExampleServe() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s\n", r.PathValue("name"))
	})
	mayflyhttp.Serve(mux) // in func init

	w := httptest.NewRecorder()
	new(mayflytest.Node).ServeHTTP(w, httptest.NewRequest("GET", "/hello/you", nil))
	fmt.Print(w.Body)
	// Output: Hello, you
}

// An http.Client can ask another Function as well.
func ExampleTransport_service() {
	auth := &http.Client{Transport: mayflyhttp.Transport{Fetch: mayfly.Service("AUTH").Fetch}}
	mayflyhttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.Get("http://auth/whoami")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}))

	node := &mayflytest.Node{Services: map[string]http.Handler{"AUTH": write("This is the other Function\n")}}
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output: This is the other Function
}

func ExampleTransport() {
	client := &http.Client{Transport: mayflyhttp.Transport{}}
	mayflyhttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := client.Get("https://example.com/")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}))

	node := &mayflytest.Node{Upstream: write("This is the upstream\n")}
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output: This is the upstream
}
