package secret

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// The format of what is sealed:
//
//	1 byte    format
//	8 bytes   id of the key
//	24 bytes  nonce, random
//	the rest  XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) of the text
//
// The associated data are the first 9 bytes and what it is sealed for, each part
// behind its length.
const (
	format     = 1
	headerSize = 1 + len(keyID{})
	overhead   = headerSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// ErrDamaged: what was sealed is not what it was, or not where it was.
var ErrDamaged = errors.New("it was changed since it was sealed, or belongs elsewhere; restore it from a backup, or set it again")

// header returns the id of the key that sealed a record.
func header(record []byte) (keyID, error) {
	switch {
	case len(record) < overhead:
		return keyID{}, fmt.Errorf("%d bytes are too few for a sealed record: %w", len(record), ErrDamaged)
	case record[0] != format:
		return keyID{}, fmt.Errorf("format %d of a sealed record is not known, only %d is; was it written by a newer version? If not: %w", record[0], format, ErrDamaged)
	}
	return keyID(record[1:headerSize]), nil
}

// seal seals a text for a place.
func (k Key) seal(text []byte, place ...string) []byte {
	record := make([]byte, headerSize+chacha20poly1305.NonceSizeX, overhead+len(text))
	record[0] = format
	copy(record[1:], k.id[:])
	nonce := record[headerSize:]
	rand.Read(nonce) // never fails; 192 bits may be random for ever
	return k.aead().Seal(record, nonce, text, associated(record[:headerSize], place))
}

// open returns what seal sealed for the same place. The caller has found the key
// by the header.
func (k Key) open(record []byte, place ...string) ([]byte, error) {
	if id, err := header(record); err != nil || id != k.id {
		return nil, errors.Join(err, ErrDamaged)
	}
	box := record[headerSize:]
	nonce, box := box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:]
	text, err := k.aead().Open(nil, nonce, box, associated(record[:headerSize], place))
	if err != nil {
		return nil, ErrDamaged
	}
	return text, nil
}

func (k Key) aead() cipher.AEAD {
	a, err := chacha20poly1305.NewX(k.bytes[:])
	if err != nil {
		panic(err) // of the key's length
	}
	return a
}

// associated tells each part from the next by its length, so that no two places
// have the same data.
func associated(header []byte, place []string) []byte {
	data := append([]byte("mayfly secret\x00"), header...)
	for _, part := range place {
		data = binary.BigEndian.AppendUint32(data, uint32(len(part)))
		data = append(data, part...)
	}
	return data
}
