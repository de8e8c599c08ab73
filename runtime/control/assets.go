package control

import (
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"golang.org/x/sync/errgroup"
)

// maxAssetManifest is how long the list of an upload's static files may be, in bytes.
const maxAssetManifest = 16 << 20

// noType is what clients send for a file whose type they don't know, since a part of
// a form has to have one.
const noType = "application/null"

// beginAssets takes the list of the static files of an upload, and answers with those
// that the account does not have.
// https://developers.cloudflare.com/workers/static-assets/direct-upload/
func beginAssets(r *request) error {
	done, err := r.hold(maxAssetManifest)
	if err != nil {
		return err
	}
	defer done()
	var in struct {
		Manifest map[string]deploy.AssetFile `json:"manifest"`
	}
	if err := r.readJSON(maxAssetManifest, &in); err != nil {
		return err
	}
	if in.Manifest == nil {
		return badRequest(`the body has no manifest: {"manifest": {"/index.html": {"hash": "...", "size": 1}}}`)
	}
	token, missing, err := r.api.registry.BeginAssets(r.Context(), r.account(), r.params["script"], in.Manifest, r.token)
	if err != nil {
		return err
	}
	return r.ok(map[string]any{"jwt": token, "buckets": missing})
}

// authenticateSession finds out whether the token is that of an upload, which is good
// for its files alone.
func (r *request) authenticateSession(text string) bool {
	if !strings.Contains(text, ".") { // unlike all others
		return false
	}
	s, err := r.api.registry.AssetSession(r.Context(), text)
	if err != nil {
		return false
	}
	r.session, r.token = text, s.Token
	r.token.Kind, r.token.Account, r.token.Scopes = deploy.KindAccount, s.Account, deploy.ScopeDeploy
	return true
}

// uploadAssets takes some of the files of an upload: a form with the file in the part
// that has its hash as name, in base64.
func uploadAssets(r *request) error {
	if r.session == "" {
		return badRequest("this request takes the jwt of an assets-upload-session in the place of a token")
	}
	limit := r.api.registry.AssetLimits().FileSize
	encoded := r.URL.Query().Get("base64") == "true"
	if encoded {
		limit = int64(base64.StdEncoding.EncodedLen(int(limit)))
	}
	done, err := r.takeUpload(limit + maxMetadata)
	if err != nil {
		return err
	}
	defer done()
	r.limitBody(limit + maxMetadata)
	parts, err := r.MultipartReader()
	if err != nil {
		return badRequest("the form cannot be read: %v", err)
	}
	if err := r.storeAssets(parts, encoded); err != nil {
		return err
	}
	return r.assetsAnswer()
}

// assetWrites is how many files of a request are compressed and stored at the same
// time: each waits for the disk.
const assetWrites = 8

// storeAssets stores the files as they come.
func (r *request) storeAssets(parts *multipart.Reader, encoded bool) error {
	writes, ctx := errgroup.WithContext(r.Context())
	writes.SetLimit(assetWrites)
	for ctx.Err() == nil { // until one can't be stored
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			writes.Wait() //nolint:errcheck // the client's mistake came first
			return bodyError(err)
		}
		hash, kind, data, err := r.readAsset(part, encoded)
		if err != nil {
			writes.Wait() //nolint:errcheck // the same
			return err
		}
		writes.Go(func() error { return r.api.registry.PutAsset(ctx, r.session, hash, data, kind) })
	}
	return writes.Wait()
}

func (r *request) readAsset(part *multipart.Part, encoded bool) (hash, kind string, data []byte, err error) {
	var from io.Reader = part
	if encoded {
		from = base64.NewDecoder(base64.StdEncoding, part)
	}
	hash, most := part.FormName(), r.api.registry.AssetLimits().FileSize
	data, err = io.ReadAll(io.LimitReader(from, most+1))
	if _, bad := err.(base64.CorruptInputError); bad {
		return "", "", nil, badRequest("the static file %.40q is not base64: %v", hash, err)
	}
	if err != nil {
		return "", "", nil, bodyError(err)
	}
	if int64(len(data)) > most {
		return "", "", nil, host.Errorf(host.CodeTooLarge, "a static file has at most %d bytes", most)
	}
	if kind = part.Header.Get("Content-Type"); kind == noType {
		kind = ""
	}
	return hash, kind, data, nil
}

// assetsAnswer has the token that an upload of the Function needs, once all files are
// there.
func (r *request) assetsAnswer() error {
	s, err := r.api.registry.AssetSession(r.Context(), r.session)
	if err != nil {
		return err
	}
	r.note("script", s.Function)
	if s.Left > 0 {
		return r.answer(http.StatusAccepted, map[string]any{})
	}
	return r.answer(http.StatusCreated, map[string]any{"jwt": r.session})
}

// answer answers with a result and a status.
func (r *request) answer(status int, result any) error {
	r.send(status, envelope{Success: true, Errors: []message{}, Messages: []message{}, Result: result})
	return nil
}
