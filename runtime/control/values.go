package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// RevisionHeader carries the revision of a value, for a later If-Match.
const RevisionHeader = "Mayfly-Revision"

// maxFormOverhead is what a form may have beside the value, in bytes.
const maxFormOverhead = 64 << 10

// entries is the namespace in the path.
func (r *request) entries() (kv.Store, error) {
	return r.api.registry.Entries(r.account(), r.params["namespace"])
}

// readable is entries for what only reads: as the node has them, or as they are in
// its cluster.
func (r *request) readable() (kv.Store, error) {
	store, err := r.entries()
	if err != nil {
		return nil, err
	}
	switch c := r.URL.Query().Get("consistency"); c {
	case "", "eventual":
		return store, nil
	case "strong":
		return kv.Strong(store), nil
	default:
		return nil, r.of(host.CodeInvalid, fmt.Sprintf("consistency is %.64q: use eventual or strong", c))
	}
}

// entryAt checks the key in the path too.
func (r *request) entryAt() (kv.Store, string, error) {
	store, err := r.entries()
	if err != nil {
		return nil, "", err
	}
	key := r.params["key"]
	return store, key, kv.CheckKey(key)
}

// keyNotFound is Cloudflare's answer.
func keyNotFound() error { return &failure{http.StatusNotFound, 10009, "get: 'key not found'"} }

func (r *request) get() (kv.Entry, error) {
	store, err := r.readable()
	if err != nil {
		return kv.Entry{}, err
	}
	key := r.params["key"]
	if err := kv.CheckKey(key); err != nil {
		return kv.Entry{}, err
	}
	e, err := store.Get(r.Context(), key)
	if errors.Is(err, kv.ErrNotFound) {
		return e, keyNotFound()
	}
	return e, err
}

func getValue(r *request) error {
	e, err := r.get()
	if err != nil {
		return err
	}
	r.setRevision(e.Revision)
	if !e.Expires.IsZero() {
		r.reply.Header().Set("Expiration", strconv.FormatInt(e.Expires.Unix(), 10))
	}
	if len(e.Metadata) > 0 {
		r.reply.Header().Set("CF-KV-Metadata", headerText(e.Metadata))
	}
	r.sendBytes(http.StatusOK, anyType, e.Value)
	return nil
}

func (r *request) setRevision(revision uint64) {
	r.reply.Header().Set(RevisionHeader, strconv.FormatUint(revision, 10))
}

// headerText makes JSON fit for a header: line ends can only stand between its
// tokens, and other characters beyond ASCII are escaped.
func headerText(metadata []byte) string {
	var b strings.Builder
	for _, c := range string(metadata) {
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			b.WriteByte(' ')
		case c < 0x7f:
			b.WriteRune(c)
		default:
			quoted := strconv.QuoteToASCII(string(c))
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func getMetadata(r *request) error {
	e, err := r.get()
	if err != nil {
		return err
	}
	r.setRevision(e.Revision)
	return r.ok(jsonOrNil(e.Metadata))
}

// jsonOrNil shows metadata, which is JSON unless something else than users
// wrote it.
func jsonOrNil(metadata []byte) any {
	if !json.Valid(metadata) {
		return nil
	}
	return json.RawMessage(metadata)
}

func putValue(r *request) error {
	store, key, err := r.entryAt()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	opts := kv.PutOptions{}
	if opts.Expires, err = kv.ParseExpiry(q.Get("expiration"), q.Get("expiration_ttl"), r.api.cfg.Now(), kv.MinTTLCloudflare); err != nil {
		return err
	}
	if opts.If, err = r.condition(); err != nil {
		return err
	}
	done, err := r.hold(kv.UserMaxValue + maxFormOverhead)
	if err != nil {
		return err
	}
	defer done()
	value, metadata, err := r.readValue()
	if err != nil {
		return err
	}
	if opts.Metadata = metadata; len(metadata) > 0 {
		if err := kv.CheckMetadata(metadata); err != nil {
			return err
		}
	}
	revision, err := store.Put(r.Context(), key, value, opts)
	if err != nil {
		return precondition(err)
	}
	r.setRevision(revision)
	return r.ok(nil)
}

func deleteValue(r *request) error {
	store, key, err := r.entryAt()
	if err != nil {
		return err
	}
	cond, err := r.condition()
	if err != nil {
		return err
	}
	if err := store.Delete(r.Context(), key, kv.DeleteOptions{If: cond}); err != nil {
		return precondition(err)
	}
	return r.ok(nil)
}

// condition reads compare-and-swap: "If-Match: <revision>", or "If-None-Match:
// *" for a key that must not exist.
func (r *request) condition() (kv.Condition, error) {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case match != "" && none != "":
		return kv.AnyRevision, badRequest("If-Match and If-None-Match exclude each other")
	case none == "*":
		return kv.IfRevision(0), nil
	case none != "":
		return kv.AnyRevision, badRequest("If-None-Match can only be *")
	case match == "":
		return kv.AnyRevision, nil
	}
	revision, err := strconv.ParseUint(strings.Trim(match, `"`), 10, 64)
	if err != nil || revision == 0 {
		return kv.AnyRevision, badRequest("If-Match is %q; the revision from a %s header is expected", match, RevisionHeader)
	}
	return kv.IfRevision(revision), nil
}

func precondition(err error) error {
	if errors.Is(err, kv.ErrConflict) {
		return &failure{http.StatusPreconditionFailed, 0, "the value has another revision, or does not exist as the condition says"}
	}
	return err
}

// readValue reads a bare value, or a form with value and metadata.
func (r *request) readValue() (value, metadata []byte, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
		return r.readValueForm()
	}
	if err := kv.CheckValue(r.ContentLength); err != nil {
		return nil, nil, err
	}
	r.limitBody(kv.UserMaxValue)
	value, err = readAll(r.Body)
	return value, nil, valueError(err)
}

// valueError is for a value whose length is not known.
func valueError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return kv.CheckValue(kv.UserMaxValue + 1)
	}
	return err
}

func (r *request) readValueForm() (value, metadata []byte, err error) {
	r.limitBody(kv.UserMaxValue + maxFormOverhead)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, badRequest("the form cannot be read: %v", err)
	}
	found := false
	for {
		part, err := parts.NextPart()
		if err == io.EOF && found {
			return value, metadata, nil
		}
		if err == io.EOF {
			return nil, nil, badRequest("the form has no part named value")
		}
		if err != nil {
			return nil, nil, valueError(bodyError(err))
		}
		switch part.FormName() {
		case "value":
			found = true
			value, err = readValuePart(part)
		case "metadata":
			metadata, err = readAll(io.LimitReader(part, maxFormOverhead))
		default:
			err = badRequest("the form has a part named %q; value and metadata are expected", part.FormName())
		}
		if err != nil {
			return nil, nil, valueError(err)
		}
	}
}

func readValuePart(part *multipart.Part) ([]byte, error) {
	value, err := readAll(io.LimitReader(part, kv.UserMaxValue+1))
	if err != nil {
		return nil, err
	}
	return value, kv.CheckValue(int64(len(value)))
}
