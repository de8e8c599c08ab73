package trigger_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// answerCase is a guest and what a client reads: the status, the fields but for
// those that every answer has, and the body if the status is 200.
type answerCase struct {
	name  string
	guest []byte
	want  string
}

// refusedWith is the status of a guest whose answer was refused with a code.
func refusedWith(code host.Code) string { return fmt.Sprintf("%d []", 400+code) }

const failedGuest = "500 [Content-Type: text/plain; charset=utf-8]"

// answersAs calls respond, and if that is refused, answers with refusedWith.
func answersAs(status int32, headers, body string) []byte {
	return built(headers, body, func(call map[string]uint32) [][]byte {
		return [][]byte{numbers(status, wordsAt, int32(len(headers)), int32(wordsAt+len(headers)), int32(len(body))),
			hosttest.Call(call["respond"]), orCode(call)}
	}, "respond")
}

// streamsAs is answersAs for a streamed response.
func streamsAs(status int32, headers, body string) []byte {
	return built(headers, body, func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(status, wordsAt, int32(len(headers))), hosttest.Call(call["respond_stream"]), hosttest.LocalTee(1), orCode(call),
			hosttest.LocalGet(1), numbers(int32(wordsAt+len(headers)), int32(len(body))), hosttest.Call(call["body_write"]), hosttest.Drop,
		}
	}, "respond", "respond_stream", "body_write")
}

// orCode answers with the code on the stack if it is one.
func orCode(call map[string]uint32) []byte {
	return concat(hosttest.LocalTee(0), numbers(0), hosttest.I32LtS, hosttest.If,
		numbers(400), hosttest.LocalGet(0), hosttest.I32Sub, numbers(0, 0, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop,
		hosttest.End)
}

const wordsAt = 64 << 10

// built is a guest with words in its memory: two texts, one behind the other.
func built(first, second string, body func(call map[string]uint32) [][]byte, imports ...string) []byte {
	var m hosttest.Module
	index := map[string]uint32{}
	for _, name := range imports {
		index[name] = importNative(&m, name)
	}
	m.Memory(uint32(2 + (len(first)+len(second))>>16))
	m.Data(wordsAt, []byte(first+second))
	m.Func("fetch", nil, nil, []abi.Type{abi.I32, abi.I32}, body(index)...)
	return m.Bytes()
}

// program is a CGI program that writes its output and ends.
func program(output string) []byte {
	var m hosttest.Module
	i32 := abi.I32
	write := m.Import("wasi_snapshot_preview1", "fd_write", []abi.Type{i32, i32, i32, i32}, []abi.Type{i32})
	m.Memory(uint32(2 + len(output)>>16))
	m.Data(wordsAt, []byte(output))
	m.Func("_start", nil, nil, nil, numbers(0, wordsAt), hosttest.I32Store(0), numbers(4, int32(len(output))), hosttest.I32Store(0),
		numbers(1, 0, 1, 8), hosttest.Call(write), hosttest.Drop)
	return m.Bytes()
}

var statusLine = regexp.MustCompile(`^HTTP/1\.1 ([1-5]\d\d) [ -~]+$`)

// runAnswers runs a table: whatever the guest did, the client reads an answer that
// is well formed (RFC 9112, sections 4 to 6), and the next one right behind it; and
// the same over HTTP/2.
func runAnswers(t *testing.T, method string, cases []answerCase) {
	t.Helper()
	guests := map[string][]byte{"probe": helloGuest("probe")}
	for i, tt := range cases {
		guests[fmt.Sprintf("f%d", i)] = tt.guest
	}
	s := start(t, host.Limits{}, guests)
	overH2 := h2Client(t, s.secure())
	for i, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := h2Answers(t, overH2, method, fmt.Sprintf("f%d.localhost", i)); err != nil || !sameWords(got, tt.want) {
				t.Errorf("over HTTP/2: got %.300s, %v\nwant %s", got, err, tt.want)
			}
			c := s.dial()
			defer c.Close()
			c.write(fmt.Sprintf("%s / HTTP/1.1\r\nHost: f%d.localhost\r\n\r\n%s", method, i, probe))
			if got, err := readStrictly(c.r, method == "HEAD"); err != nil || got != tt.want {
				t.Errorf("got %.300s, %v\nwant %s", got, err, tt.want)
			}
			if got, err := readStrictly(c.r, false); err != nil || got != "200 [Content-Type: text/plain] probe" {
				t.Errorf("behind it: %.300s, %v", got, err)
			}
		})
	}
}

// sameWords compares without regard to the order.
func sameWords(a, b string) bool {
	sorted := func(s string) []string {
		words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" []", r) })
		slices.Sort(words)
		return words
	}
	return slices.Equal(sorted(a), sorted(b))
}

// readStrictly reads an answer and finds fault with whatever a client might read
// in another way.
func readStrictly(r *bufio.Reader, toHead bool) (string, error) {
	line, err := readLine(r)
	if err != nil {
		return "", err
	}
	status := statusLine.FindStringSubmatch(line)
	if status == nil {
		return "", fmt.Errorf("status line %q", line)
	}
	fields, length, err := readFields(r)
	if err != nil {
		return "", err
	}
	none := toHead || status[1][0] == '1' || status[1] == "204" || status[1] == "304"
	if none && !toHead && length == chunkedLength || length == noLength && !none {
		return "", fmt.Errorf("length %d with status %s", length, status[1])
	}
	body, err := readFramed(r, length, none)
	if status[1] != "200" {
		return fmt.Sprintf("%s %v", status[1], fields), err
	}
	return strings.TrimSpace(fmt.Sprintf("200 %v %.60s", fields, body)), err
}

const (
	noLength      = -1
	chunkedLength = -2
)

func readFields(r *bufio.Reader) (fields []string, length int, err error) {
	length = noLength
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return fields, length, err
		}
		name, value, _ := strings.Cut(line, ": ")
		one := host.Headers(nil).Add(name, value)
		if err := one.Check(); err != nil {
			return nil, 0, fmt.Errorf("field %q: %v", line, err)
		}
		switch name {
		case "Content-Length", "Transfer-Encoding":
			if length != noLength {
				return nil, 0, errors.New("two framings")
			}
			if length = chunkedLength; name == "Content-Length" {
				length, err = strconv.Atoi(value)
			}
			if err != nil || name == "Transfer-Encoding" && value != "chunked" {
				return nil, 0, fmt.Errorf("field %q", line)
			}
		case "Date", "Mayfly-Request-Id", "Cache-Control":
		default:
			fields = append(fields, line)
		}
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("line %q: %w", line, err)
	}
	line, crlf := strings.CutSuffix(line, "\r\n")
	if !crlf || strings.Contains(line, "\r") {
		return "", fmt.Errorf("line %q does not end in CR LF alone", line)
	}
	return line, nil
}

func readFramed(r *bufio.Reader, length int, none bool) ([]byte, error) {
	switch {
	case none:
		return nil, nil
	case length == chunkedLength:
		body, err := io.ReadAll(httputil.NewChunkedReader(r))
		if err != nil {
			return body, err
		}
		trailer, err := readLine(r)
		if err == nil && trailer != "" {
			err = fmt.Errorf("trailer %q", trailer)
		}
		return body, err
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}
