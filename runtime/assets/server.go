package assets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/kv"
	"golang.org/x/sync/singleflight"
)

// DefaultMemory is how much a Server keeps in memory where nothing is said, in bytes.
const DefaultMemory = 64 << 20

// Files up to whole bytes are kept in memory, larger ones are read in pieces of piece
// bytes as clients take them.
const (
	whole = 256 << 10
	piece = 128 << 10
)

// Server has the Sites of a node and the bytes of their files, which are blobs. What
// was used last stays in memory. It is safe for concurrent use.
type Server struct {
	blobs  kv.Blobs
	cache  *cache
	flight singleflight.Group
}

// NewServer makes a Server that keeps at most memory bytes; 0 means DefaultMemory.
func NewServer(blobs kv.Blobs, memory int64) *Server {
	if memory == 0 {
		memory = DefaultMemory
	}
	return &Server{blobs: blobs, cache: newCache(memory)}
}

// Memory is how much is kept now, in bytes.
func (s *Server) Memory() int64 { return s.cache.bytes() }

// Handle is the Site of a Version, which is loaded when it is used.
type Handle struct {
	server   *Server
	version  siteKey
	manifest kv.Digest
	config   Config
	options  Options
}

// siteKey is the id of a Version, as a key in the cache.
type siteKey string

// Handle makes one for a Version, whose Manifest is kept as a blob; see Encode.
func (s *Server) Handle(version string, manifest kv.Digest, c Config, o Options) *Handle {
	return &Handle{s, siteKey(version), manifest, c, o}
}

// Site loads the Site unless it is in memory.
func (h *Handle) Site(ctx context.Context) (*Site, error) {
	if v, ok := h.server.cache.get(h.version); ok {
		return v.(*Site), nil
	}
	v, err, _ := h.server.flight.Do("site "+string(h.version), func() (any, error) {
		m, err := h.server.Manifest(context.WithoutCancel(ctx), h.manifest)
		if err != nil {
			return nil, err
		}
		site := NewSite(m, h.config, h.options)
		h.server.cache.add(h.version, site, site.Size())
		return site, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Site), nil
}

// Server has the bytes of the Site's files.
func (h *Handle) Server() *Server { return h.server }

// Encode is the form in which a Manifest is kept: JSON.
func Encode(m Manifest) ([]byte, error) { return json.Marshal(m) }

// Decode reads what Encode wrote, whatever comes after it.
func Decode(data []byte) (m Manifest, err error) {
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&m); err != nil {
		return nil, fmt.Errorf("read asset manifest: %w", err)
	}
	return m, nil
}

// Manifest reads a Manifest that is kept as a blob.
func (s *Server) Manifest(ctx context.Context, d kv.Digest) (Manifest, error) {
	data, err := s.blobs.Get(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("read asset manifest: %w", err)
	}
	return Decode(data)
}

// Bytes returns all bytes of a file that is small enough to be kept in memory, or
// ok = false. They are shared and must not be written to.
func (s *Server) Bytes(ctx context.Context, c *Content) (data []byte, ok bool, err error) {
	if c.Size > whole {
		return nil, false, nil
	}
	if v, ok := s.cache.get(c.Digest); ok {
		return v.([]byte), true, nil
	}
	v, err, _ := s.flight.Do(string(c.Digest[:]), func() (any, error) {
		data, err := s.read(ctx, c)
		if err != nil {
			return nil, err
		}
		s.cache.add(c.Digest, data, int64(len(data))+fileOverhead)
		return data, nil
	})
	if err != nil {
		return nil, false, err
	}
	return v.([]byte), true, nil
}

// read reads a whole file. Its blob may be longer.
func (s *Server) read(ctx context.Context, c *Content) ([]byte, error) {
	data, err := s.blobs.Get(context.WithoutCancel(ctx), c.Digest)
	if err != nil {
		return nil, fmt.Errorf("read asset: %w", err)
	}
	if int64(len(data)) < c.Size {
		return nil, fmt.Errorf("read asset %s: %w", c.Digest, kv.ErrCorrupt)
	}
	return data[:c.Size:c.Size], nil
}

// checked is the key in the cache of a large file that had its digest.
type checked kv.Digest

// Open reads length bytes from offset on. A large file is held against its digest
// when it is opened for the first time.
func (s *Server) Open(ctx context.Context, c *Content, offset, length int64) (io.ReadCloser, error) {
	if err := s.check(ctx, c); err != nil {
		return nil, err
	}
	return &reader{server: s, digest: c.Digest, at: offset, end: offset + length}, nil
}

func (s *Server) check(ctx context.Context, c *Content) error {
	if _, ok := s.cache.get(checked(c.Digest)); ok {
		return nil
	}
	_, err, _ := s.flight.Do("check "+string(c.Digest[:]), func() (any, error) {
		if _, err := s.read(ctx, c); err != nil {
			return nil, err
		}
		s.cache.add(checked(c.Digest), nil, fileOverhead)
		return nil, nil
	})
	return err
}

// reader reads a file piece by piece.
type reader struct {
	server  *Server
	digest  kv.Digest
	at, end int64
	buffer  []byte // what was read and not yet handed on
	space   []byte
	closed  atomic.Bool
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed.Load() {
		return 0, fs.ErrClosed
	}
	if len(r.buffer) == 0 {
		if r.at == r.end {
			return 0, io.EOF
		}
		if r.space == nil {
			r.space = make([]byte, min(piece, r.end-r.at))
		}
		r.buffer = r.space[:min(int64(len(r.space)), r.end-r.at)]
		if err := kv.ReadPart(context.Background(), r.server.blobs, r.digest, r.buffer, r.at); err != nil {
			r.buffer = nil
			return 0, err
		}
		r.at += int64(len(r.buffer))
	}
	n := copy(p, r.buffer)
	r.buffer = r.buffer[n:]
	return n, nil
}

// Close implements io.Closer. It may be called during a Read.
func (r *reader) Close() error {
	r.closed.Store(true)
	return nil
}
