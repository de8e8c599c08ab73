package compile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// key names a module's compiled code: the digest of the module and of all else
// that decides about the code.
type key [sha256.Size]byte

func (k key) String() string { return hex.EncodeToString(k[:]) }

// manifest ties a module to the file of its compiled code.
type manifest struct {
	key    key
	entry  [sha256.Size]byte // the file's name, which is wazero's key
	size   int64             // of the file, bytes
	digest [sha256.Size]byte // of the file
}

// A manifest on disk: key, entry, size (big endian), digest, and the SHA-256 of
// what stands before.
const (
	manifestBody = 3*sha256.Size + 8
	manifestSize = manifestBody + sha256.Size
)

var errManifest = errors.New("manifest is damaged")

func (m manifest) encode() []byte {
	b := make([]byte, 0, manifestSize)
	b = append(b, m.key[:]...)
	b = append(b, m.entry[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.size))
	b = append(b, m.digest[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func parseManifest(b []byte) (m manifest, err error) {
	if len(b) != manifestSize || sha256.Sum256(b[:manifestBody]) != [sha256.Size]byte(b[manifestBody:]) {
		return m, errManifest
	}
	copy(m.key[:], b)
	copy(m.entry[:], b[32:])
	m.size = int64(binary.BigEndian.Uint64(b[64:]))
	copy(m.digest[:], b[72:])
	return m, nil
}
