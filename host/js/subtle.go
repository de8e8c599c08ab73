package js

import (
	"encoding/json"
	"errors"
	"hash"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js/webcrypto"
)

// What crypto.subtle and DigestStream compute. The text of those of crypto.subtle is
// webcrypto.Params as JSON.
var subtleOps = []operation{
	{"opKeyImport", subtleOp(func(p *webcrypto.Params, data []byte) (any, error) { return p.Import(data) })},
	{"opKeyGenerate", subtleOp(func(p *webcrypto.Params, _ []byte) (any, error) { return p.Generate() })},
	{"opKeyRaw", subtleOp(func(p *webcrypto.Params, _ []byte) (any, error) { return p.ExportRaw() })},
	{"opKeyJWK", subtleOp(func(p *webcrypto.Params, _ []byte) (any, error) { return p.ExportJWK() })},
	{"opSign", subtleOp(func(p *webcrypto.Params, data []byte) (any, error) { return p.Sign(data) })},
	{"opVerify", subtleOp(func(p *webcrypto.Params, data []byte) (any, error) { return p.Verify(data) })},
	{"opEncrypt", subtleOp(func(p *webcrypto.Params, data []byte) (any, error) { return p.Encrypt(data) })},
	{"opDecrypt", subtleOp(func(p *webcrypto.Params, data []byte) (any, error) { return p.Decrypt(data) })},
	{"opDerive", subtleOp(func(p *webcrypto.Params, _ []byte) (any, error) { return p.Derive() })},
	{"opHashOpen", hashOpen},
	{"opHashWrite", hashWrite},
	{"opHashSum", hashSum},
}

// subtleOp is an operation that computes: it gives bytes, whether something is
// so, or a value as JSON.
func subtleOp(compute func(p *webcrypto.Params, data []byte) (any, error)) func(*query) (kind, error) {
	return func(q *query) (kind, error) {
		size := len(q.text) + len(q.data) // of the parameters' copy, and about that of the result
		if err := q.Hold(size); err != nil {
			return 0, err
		}
		defer q.Release(size)
		var p webcrypto.Params
		if err := json.Unmarshal(q.text, &p); err != nil {
			return 0, host.Errorf(host.CodeInvalid, "DataError: the parameters are not valid: %v", err)
		}
		p.Random = q.Services.Random
		q.Work(subtleCost(&p) + hashWeight*int64(len(q.data)))
		v, err := compute(&p, q.data)
		if failure, ok := errors.AsType[*webcrypto.Error](err); ok {
			return 0, host.Errorf(host.CodeInvalid, "%s", failure.Error())
		}
		if err != nil {
			return 0, host.Errorf(host.CodeInvalid, "OperationError: %v", err)
		}
		switch v := v.(type) {
		case []byte:
			return q.giveBytes(v)
		case bool:
			return boolean(v), nil
		}
		return q.giveJSON(v)
	}
}

// What operations with keys cost, in units of work, as measured on one machine: a
// microsecond is 3,000.
const (
	curveWeight = 400_000 // P-521 takes ten times as long as P-256, or more
	rsaWeight   = 4_000_000
	primeWeight = 400_000_000
)

// subtleCost is about what an operation takes besides its data.
func subtleCost(p *webcrypto.Params) int64 {
	switch {
	case p.Name == "PBKDF2":
		blocks := int64(max(0, min(p.Length, 8*webcrypto.MaxDerived)))/256 + 1
		return 2 * 64 * hashWeight * int64(max(0, min(p.Iterations, webcrypto.MaxIterations))) * blocks
	case strings.HasPrefix(p.Name, "RSA") && p.ModulusLength > 0: // is generated
		bits := int64(min(p.ModulusLength, 4096))
		return primeWeight * (bits / 1024) * (bits / 1024) / 4
	case strings.HasPrefix(p.Name, "RSA") && p.Type == "private", p.Format == "pkcs8":
		return rsaWeight
	case strings.HasPrefix(p.Name, "RSA"):
		return rsaWeight / 20
	case p.Curve == "P-521", p.Curve == "P-384":
		return 10 * curveWeight
	case p.Name == "ECDSA", p.Name == "ECDH", strings.HasSuffix(p.Name, "25519"):
		return curveWeight
	}
	return 0
}

// hashOpen gives the handle of a digest by the algorithm named text, or null if
// there is none.
func hashOpen(q *query) (kind, error) {
	h := hashOf(string(q.text))
	if h == nil {
		return null, nil
	}
	return q.open(h())
}

// hashWrite adds data to the digest of the handle n.
func hashWrite(q *query) (kind, error) {
	h, err := handle[hash.Hash](q)
	if err != nil {
		return 0, err
	}
	q.hash(h, q.data)
	return noValue, nil
}

// hashSum gives the digest of the handle n, and closes that.
func hashSum(q *query) (kind, error) {
	h, err := handle[hash.Hash](q)
	if err != nil {
		return 0, err
	}
	if err := q.Handles.Close(host.Handle(q.n)); err != nil {
		return 0, err
	}
	return q.giveBytes(h.Sum(nil))
}
