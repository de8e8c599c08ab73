// Mux is an ordinary net/http program: patterns, JSON, and a streamed response.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/mayflyhttp"
)

func init() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", hello)
	mux.HandleFunc("POST /sum", sum)
	mux.HandleFunc("GET /ticks", ticks)
	mayflyhttp.Serve(mux)
}

func hello(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"hello": r.PathValue("name")})
}

// sum adds up a list of numbers: [1, 2.5] gives {"sum": 3.5}.
func sum(w http.ResponseWriter, r *http.Request) {
	var numbers []float64
	if err := json.NewDecoder(r.Body).Decode(&numbers); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	writeJSON(w, http.StatusOK, map[string]float64{"sum": total})
}

// ticks sends five lines, each when its time has come.
func ticks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for i := range 5 {
		if i > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		fmt.Fprintf(w, "tick %d\n", i+1)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // the client has left
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func main() {} // required by Go, never called
