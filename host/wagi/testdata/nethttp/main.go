// A CGI program of the standard library's making.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
)

func main() {
	http.HandleFunc("POST /things/{name}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Client", r.RemoteAddr)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s %s %s", r.PathValue("name"), r.Host, r.URL, r.Header.Get("X-Test"), body)
	})
	if err := cgi.Serve(nil); err != nil {
		panic(err)
	}
}
