package control

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Invokes gives Functions payloads.
type Invokes struct {
	// Now answers with what the Function does.
	Now func(ctx context.Context, f deploy.Function, p trigger.Payload) (*host.FetchResponse, error)
	// Later returns the id of what was accepted.
	Later func(ctx context.Context, f deploy.Function, contentType string, body []byte) (id string, err error)
	// Forget drops what waits for a Function that was deleted.
	Forget func(ctx context.Context, account, function string) error
}

// maxInvokeReply is the longest answer that is passed on, in bytes: it is in memory.
const maxInvokeReply = 32 << 20

// invoke gives a Function the body of the request, and answers with the answer.
func invoke(r *request) error {
	f, v, err := r.function()
	if err != nil {
		return err
	}
	if r.api.cfg.Invoke == nil {
		return host.Errorf(host.CodeUnsupported, "this node can't invoke Functions")
	}
	later, err := r.wantsLater()
	if err != nil {
		return err
	}
	r.note("async", strconv.FormatBool(later))
	most := int64(trigger.MaxAsyncPayload)
	if !later {
		most = r.api.registry.MaxRequestBody(v)
	}
	done, err := r.hold(most)
	if err != nil {
		return err
	}
	defer done()
	r.limitBody(most)
	body, err := readAll(r.Body)
	if err != nil {
		return err
	}
	if later {
		return r.invokeLater(f, body)
	}
	return r.invokeNow(f, body)
}

// wantsLater says whether nobody waits for the answer: ?async=true, or the header
// that Lambda has for it
// (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestSyntax).
func (r *request) wantsLater() (bool, error) {
	switch text := r.URL.Query().Get("async"); text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "":
	default:
		return false, badRequest("async is %q; true and false are possible", text)
	}
	switch text := r.Header.Get("X-Amz-Invocation-Type"); text {
	case "Event":
		return true, nil
	case "", "RequestResponse":
		return false, nil
	default:
		return false, badRequest("X-Amz-Invocation-Type is %q; Event and RequestResponse are possible", text)
	}
}

func (r *request) invokeLater(f deploy.Function, body []byte) error {
	id, err := r.api.cfg.Invoke.Later(r.Context(), f, r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	r.note("invocation", id)
	r.send(http.StatusAccepted, envelope{Success: true, Errors: []message{}, Messages: []message{}, Result: map[string]string{"id": id}})
	return nil
}

func (r *request) invokeNow(f deploy.Function, body []byte) error {
	response, err := r.api.cfg.Invoke.Now(r.Context(), f, trigger.Payload{ID: r.id, Type: r.Header.Get("Content-Type"), Body: body, Attempt: 1})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxInvokeReply+1))
	if err != nil {
		return err
	}
	if len(answer) > maxInvokeReply {
		return host.Errorf(host.CodeTooLarge, "the answer of Function %s is longer than the %d bytes that are passed on here", f.Name, maxInvokeReply)
	}
	contentType, _ := response.Headers.Get("content-type")
	h := r.reply.Header()
	h.Set("Mayfly-Invocation-Id", r.id) // tells the Function's answers from those about it
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox") // a guest's page has no part in this origin
	r.sendBytes(response.Status, strings.ToValidUTF8(string(contentType), ""), answer)
	return nil
}

type destinationJSON struct {
	Function  string `json:"function,omitempty"`
	Namespace string `json:"kv_namespace,omitempty"`
}

type invokeConfigJSON struct {
	Retries   *int             `json:"retries"`
	OnFailure *destinationJSON `json:"on_failure"`
}

func invokeConfigOf(f deploy.Function) invokeConfigJSON {
	retries := f.Invoke.Retries()
	out := invokeConfigJSON{Retries: &retries}
	if to := f.Invoke.OnFailure(); to != (deploy.Destination{}) {
		out.OnFailure = &destinationJSON{to.Function, to.Namespace}
	}
	return out
}

func getInvokeConfig(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.ok(invokeConfigOf(f))
}

func putInvokeConfig(r *request) error {
	var in invokeConfigJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	c := deploy.InvokeConfig{MaxRetries: in.Retries}
	if to := in.OnFailure; to != nil {
		c.Failures = deploy.Destination{Function: to.Function, Namespace: to.Namespace}
	}
	f, err := r.api.registry.SetInvoke(r.Context(), r.account(), r.params["script"], c)
	if err != nil {
		return err
	}
	return r.ok(invokeConfigOf(f))
}
