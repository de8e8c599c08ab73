package trigger_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// rawCase is what is sent on a connection of its own, and what comes of it: the
// status of each answer, with the body if a guest sent one; whether the
// connection is "open" for another request or "closed"; and which requests guests
// saw. An example is "200:abc 400 closed POST body/".
type rawCase struct{ name, request, want string }

const (
	hostLine = "Host: hello.localhost\r\n"
	get      = "GET / HTTP/1.1\r\n" + hostLine
	post     = "POST / HTTP/1.1\r\nHost: body.localhost\r\n" // to a guest that echoes the body
	chunked  = post + "Transfer-Encoding: chunked\r\n\r\n"
	end      = "\r\n"
	// smuggled stands where it must not be taken for a request.
	smuggled = "GET /smuggled HTTP/1.1\r\n" + hostLine + end
	// probe follows every case: where it is answered, the connection was open.
	probe = "GET / HTTP/1.1\r\nHost: probe.localhost\r\n\r\n"
)

// rawServer is a front end that notes which requests guests see.
type rawServer struct {
	*server
	mu   sync.Mutex // guards seen
	seen []string
}

func startRaw(t testing.TB, edit ...func(*trigger.HTTPConfig)) *rawServer {
	t.Helper()
	s := new(rawServer)
	edit = append(edit, func(c *trigger.HTTPConfig) { c.AccessLog = slog.New(noting{s}) })
	many := deploy.Config{AccountConcurrency: 10_000, Limits: host.Limits{Concurrency: 10_000}}
	s.server = startWith(t, many, map[string][]byte{
		"hello": helloGuest(""), "body": bodyGuest(), "probe": helloGuest("probe")}, edit...)
	return s
}

// noting is a slog.Handler for the access log. Entries about guests have an outcome.
type noting struct{ s *rawServer }

func (n noting) Enabled(context.Context, slog.Level) bool { return true }
func (n noting) WithAttrs([]slog.Attr) slog.Handler       { return n }
func (n noting) WithGroup(string) slog.Handler            { return n }

func (n noting) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		fields[a.Key] = a.Value.String()
		return true
	})
	if fields["outcome"] != "" && fields["function"] != "probe" {
		_, url, _ := strings.Cut(fields["url"], "://")
		n.s.note(fields["method"] + " " + strings.Replace(url, ".localhost/", "/", 1))
	}
	return nil
}

func (s *rawServer) note(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, request)
}

// taken is what guests saw since the last call.
func (s *rawServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.seen = nil }()
	return s.seen
}

// run runs a table, without TLS and over it, and wants the server to be well
// afterwards.
func (s *rawServer) run(t *testing.T, cases []rawCase) {
	t.Helper()
	addr := s.secure()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.exchange(s.dial(), tt.request); got != tt.want {
				t.Errorf("%.200q:\n got %s\nwant %s", tt.request, got, tt.want)
			}
			if got := s.exchange(s.dialTLS(addr), tt.request); got != tt.want {
				t.Errorf("over TLS: %.200q:\n got %s\nwant %s", tt.request, got, tt.want)
			}
		})
	}
	if status, body := s.get("probe", "/"); status != 200 || body != "probe" {
		t.Errorf("afterwards: %d %q", status, body)
	}
}

// exchange sends a request with the probe behind it, and says what came of it.
func (s *rawServer) exchange(c *conn, request string) string {
	s.t.Helper()
	defer c.Close()
	io.WriteString(c, request+probe) //nolint:errcheck // it may not be read to its end
	return s.read(c, strings.HasPrefix(request, "HEAD "))
}

// read is answers with what guests saw.
func (s *rawServer) read(c *conn, toHead bool) string {
	return strings.Join(append([]string{s.answers(c, toHead)}, s.taken()...), " ")
}

// answers reads answers up to the probe's or the end of the connection.
func (s *rawServer) answers(c *conn, toHead bool) string {
	var got []string
	for {
		answer, err := c.answer(toHead && len(got) == 0)
		switch {
		case err != nil:
			return strings.Join(append(got, "closed"), " ")
		case answer == "200:probe":
			return strings.Join(append(got, "open"), " ")
		}
		got = append(got, answer)
	}
}

// answer reads an answer as rawCase has it.
func (c *conn) answer(toHead bool) (string, error) {
	var asked *http.Request
	if toHead {
		asked = &http.Request{Method: "HEAD"}
	}
	resp, err := http.ReadResponse(c.r, asked)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || len(body) == 0 {
		return fmt.Sprint(resp.StatusCode), err
	}
	return fmt.Sprintf("%d:%.60s", resp.StatusCode, body), nil
}
