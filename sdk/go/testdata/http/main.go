// Http runs an http.Handler.
package main

import (
	"io"
	"net/http"

	"github.com/mayfly-run/mayfly/sdk/go/mayflyhttp"
)

func init() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello") })
	mayflyhttp.Serve(mux)
}

func main() {}
