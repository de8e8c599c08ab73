package deploy

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// Bounds of sessions, in which clients upload static files.
const (
	sessionTime  = time.Hour
	maxSessions  = 8   // of one account; a new one ends the oldest
	bucketFiles  = 100 // that are asked for in one request
	maxAssetType = 200 // bytes of a Content-Type
)

// AssetFile is a file as a client announces it.
type AssetFile struct {
	// Hash is the client's, of the file and the end of its name: 32 hexadecimal
	// digits. It means something within the account only.
	Hash string `json:"hash"`
	Size int64  `json:"size"` // bytes
}

// AssetSession is an upload of static files that has begun.
type AssetSession struct {
	Account  string
	Function string
	Token    Token // of whoever began it
	Left     int   // files that have not arrived
}

// sessionKey is the SHA-256 of a session's token.
type sessionKey [sha256.Size]byte

type assetSession struct {
	account, function string
	token             Token
	expires           time.Time
	files             map[string]AssetFile // by path
	sizes             map[string]int64     // by hash
	missing           map[string]int64     // the same, of what has not arrived
	pending           int64                // bytes that were missing at the beginning
	manifests         []kv.Digest          // that were made of it
	using             int                  // deploys under way, during which it does not end
	began             time.Time
	number            int // sessions are numbered as they become known
}

// BeginAssets begins to upload the files of a Function, given by their path. It
// returns the token of the session, and the hashes of those files that the account
// does not have, in groups that fit into a request each. A session lasts an hour. In a
// cluster any node goes on with it; otherwise it does not outlast the node's process.
func (r *Registry) BeginAssets(ctx context.Context, account, function string, files map[string]AssetFile, by Token) (token string, missing [][]string, err error) {
	err = r.checkUpToDate(ctx, func(_ context.Context, s *snapshot) error {
		_, err := s.account(account)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	if err := CheckName(function); err != nil {
		return "", nil, invalid("%v", err)
	}
	sizes, err := r.checkFiles(files)
	if err != nil {
		return "", nil, err
	}
	s := &assetSession{account: account, function: function, token: by, files: files, sizes: sizes, missing: map[string]int64{}}
	// What is there now is not removed before the session has it.
	err = r.exclusively(ctx, func(ctx context.Context) error {
		if err := r.miss(s, sizes); err != nil {
			return err
		}
		if err := r.cfg.Room(2 * s.pending); err != nil {
			return err
		}
		missing = r.buckets(s.missing)
		token, err = r.openSession(ctx, s)
		return err
	})
	return token, missing, err
}

// checkFiles checks what a client announces, and returns the size by hash.
func (r *Registry) checkFiles(files map[string]AssetFile) (map[string]int64, error) {
	limits := r.cfg.AssetLimits
	if len(files) > limits.Files {
		return nil, host.Errorf(host.CodeTooLarge, "there are %d static files; at most %d are allowed", len(files), limits.Files)
	}
	sizes := make(map[string]int64, len(files))
	for path, f := range files {
		if err := assets.CheckPath(path); err != nil {
			return nil, invalid("static file: %v", err)
		}
		if len(f.Hash) != 32 || strings.Trim(f.Hash, "0123456789abcdef") != "" {
			return nil, invalid("static file %s: the hash %.40q is not 32 hexadecimal digits", path, f.Hash)
		}
		if f.Size > limits.FileSize {
			return nil, host.Errorf(host.CodeTooLarge, "static file %s has %s; at most %s are allowed", path, sizeText(f.Size), sizeText(limits.FileSize))
		}
		if before, again := sizes[f.Hash]; f.Size < 0 || again && before != f.Size {
			return nil, invalid("static file %s: its size is %d, and another file with the same hash has %d", path, f.Size, before)
		}
		sizes[f.Hash] = f.Size
	}
	return sizes, nil
}

// miss finds what the account does not have.
func (r *Registry) miss(s *assetSession, sizes map[string]int64) error {
	for hash, size := range sizes {
		f, there := r.files.file(s.account, hash)
		if there && f.Size != size {
			return host.Errorf(host.CodeConflict, "the hash %s is that of a file of %d bytes, not of %d", hash, f.Size, size)
		}
		if !there {
			s.missing[hash] = size
			s.pending += size
		}
	}
	if s.pending > r.cfg.AssetLimits.Pending {
		return host.Errorf(host.CodeTooLarge, "the static files that are new have %s; at most %s can be uploaded at a time", sizeText(s.pending), sizeText(r.cfg.AssetLimits.Pending))
	}
	return nil
}

// buckets puts the hashes into groups of as many bytes as one file may have.
func (r *Registry) buckets(missing map[string]int64) [][]string {
	list := [][]string{}
	var size int64
	for _, hash := range slices.Sorted(maps.Keys(missing)) {
		last := len(list) - 1
		if last < 0 || len(list[last]) == bucketFiles || size+missing[hash] > r.cfg.AssetLimits.FileSize {
			list, size = append(list, nil), 0
			last++
		}
		list[last] = append(list[last], hash)
		size += missing[hash]
	}
	return list
}

// openSession makes the token of a session, and ends older ones of the account that
// would be too many or too large together. It needs r.mu.
func (r *Registry) openSession(ctx context.Context, s *assetSession) (token string, err error) {
	s.began = r.cfg.Now()
	s.expires = s.began.Add(sessionTime)
	token = newSessionToken(s)
	key := sessionKey(sha256.Sum256([]byte(token)))
	if err := r.storeSession(ctx, key, s); err != nil {
		return "", err
	}
	for _, old := range r.files.open(key, s, r.cfg.AssetLimits.Pending) {
		r.removeSession(ctx, old)
	}
	return token, nil
}

// open keeps a session, and returns the keys of those that it has ended.
func (s *assetStore) open(key sessionKey, session *assetSession, mostPending int64) (ended []sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending, count := session.pending, 1
	for _, other := range slices.SortedFunc(maps.Keys(s.sessions), func(a, b sessionKey) int { return s.sessions[b].compare(s.sessions[a]) }) {
		o := s.sessions[other]
		if o.account != session.account || o.using > 0 || other == key {
			continue
		}
		if pending, count = pending+o.pending, count+1; pending > mostPending || count > maxSessions {
			s.end(other)
			ended = append(ended, other)
		}
	}
	s.add(key, session)
	return ended
}

// add needs s.mu.
func (s *assetStore) add(key sessionKey, session *assetSession) {
	s.begun++
	session.number = s.begun
	s.sessions[key] = session
	s.known[session.account] = true
	s.generation++
}

// compare orders sessions by when they began.
func (s *assetSession) compare(other *assetSession) int {
	return cmp.Or(s.began.Compare(other.began), cmp.Compare(s.number, other.number))
}

// end needs s.mu.
func (s *assetStore) end(key sessionKey) {
	s.unswept[s.sessions[key].account] = true
	delete(s.sessions, key)
	s.wakeUp()
}

func (s *assetStore) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// newSessionToken has the form of a JWT (RFC 7519), since clients look into it. It is
// good because it is known, not because it is signed.
func newSessionToken(s *assetSession) string {
	var id, key [32]byte
	rand.Read(id[:]) // never fails
	rand.Read(key[:])
	claims, err := json.Marshal(map[string]any{"jti": base64.RawURLEncoding.EncodeToString(id[:]), "exp": s.expires.Unix()})
	if err != nil {
		panic(err) // a string and a number
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func noSession() error {
	return host.Errorf(host.CodeInvalid, "this upload of static files is not known: it is over an hour old, or the node was started again since, or too many others were begun; begin it again")
}

// session finds one by its token. It needs files.mu.
func (r *Registry) session(token string) (*assetSession, error) {
	s := r.files.sessions[sha256.Sum256([]byte(token))]
	if s == nil || r.cfg.Now().After(s.expires) {
		return nil, noSession()
	}
	return s, nil
}

// AssetSession returns what is known of a session, on any node.
func (r *Registry) AssetSession(ctx context.Context, token string) (AssetSession, error) {
	if err := r.findSession(ctx, token); err != nil {
		return AssetSession{}, err
	}
	return r.knownSession(token)
}

// knownSession asks no other node.
func (r *Registry) knownSession(token string) (AssetSession, error) {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	s, err := r.session(token)
	if err != nil {
		return AssetSession{}, err
	}
	if t, there := r.current.Load().tokens[s.token.ID]; s.token.ID != "" && (!there || t.Status(r.now()) != TokenActive || !t.May(ScopeDeploy)) {
		return AssetSession{}, noSession()
	}
	return AssetSession{s.account, s.function, s.token, len(s.missing)}, nil
}

// AssetLimits are those in force.
func (r *Registry) AssetLimits() AssetLimits { return r.cfg.AssetLimits }

// sizeText is a size for people.
func sizeText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return mib(n)
}

// AssetBytes is how much of static files is in memory.
func (r *Registry) AssetBytes() int64 { return r.cfg.Assets.Memory() }

// finishAssets ends what takeSession began. A session that was deployed is over: its
// files are the Version's now.
func (r *Registry) finishAssets(ctx context.Context, up *UploadAssets, deployed bool) {
	if up == nil || up.Session == "" {
		return
	}
	key := sessionKey(sha256.Sum256([]byte(up.Session)))
	if r.files.finish(key, deployed) {
		r.removeSession(context.WithoutCancel(ctx), key)
	}
}

// finish reports whether the session has ended.
func (s *assetStore) finish(key sessionKey, deployed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[key]
	if session == nil {
		return false
	}
	if session.using--; !deployed || session.using > 0 {
		return false
	}
	s.end(key)
	return true
}
