package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// envelope is around every answer.
// https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/
type envelope struct {
	Success    bool        `json:"success"`
	Errors     []message   `json:"errors"`
	Messages   []message   `json:"messages"`
	Result     any         `json:"result"`
	ResultInfo *resultInfo `json:"result_info,omitempty"`
}

type message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// resultInfo tells of a listing by pages, or by cursor.
type resultInfo struct {
	Page       int     `json:"page,omitempty"`
	PerPage    int     `json:"per_page,omitempty"`
	Count      int     `json:"count"`
	TotalCount *int    `json:"total_count,omitempty"`
	TotalPages int     `json:"total_pages,omitempty"`
	Cursor     *string `json:"cursor,omitempty"`
}

func failed(f *failure) envelope {
	return envelope{Errors: []message{{f.code, f.msg}}, Messages: []message{}}
}

// ok answers with a result.
func (r *request) ok(result any) error { return r.page(result, nil) }

// okWith answers with a result, and says something beside it.
func (r *request) okWith(result any, said []message) error {
	r.send(http.StatusOK, envelope{Success: true, Errors: []message{}, Messages: said, Result: result})
	return nil
}

// page answers with one page of a listing.
func (r *request) page(result any, info *resultInfo) error {
	r.send(http.StatusOK, envelope{Success: true, Errors: []message{}, Messages: []message{}, Result: result, ResultInfo: info})
	return nil
}

func (r *request) send(status int, e envelope) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read the messages too
	if err := enc.Encode(e); err != nil {
		panic(err) // results are made of our own types
	}
	r.sendBytes(status, "application/json", b.Bytes())
}

// sendBytes answers with a body that is no envelope.
func (r *request) sendBytes(status int, contentType string, body []byte) {
	if err := r.record(status); err != nil {
		f := r.public(err)
		r.send(f.status, failed(f)) // what can't be recorded once is not recorded again
		return
	}
	r.replied = true
	h := r.reply.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	r.reply.WriteHeader(status)
	r.reply.Write(body) // fails when the client has gone, which is its own affair
}
