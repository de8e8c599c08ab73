package webcrypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
	"slices"
)

// Encrypt encrypts data by AES or RSA-OAEP.
func (p *Params) Encrypt(data []byte) ([]byte, error) {
	if p.Name == "RSA-OAEP" {
		return p.encryptOAEP(data)
	}
	block, err := aes.NewCipher(p.Key)
	if err != nil {
		return nil, operationError("%v", err)
	}
	switch p.Name {
	case "AES-GCM":
		return p.sealGCM(block, data)
	case "AES-CBC":
		return p.encryptCBC(block, data)
	case "AES-CTR":
		return p.ctr(block, data)
	case "AES-KW":
		return wrap(block, data)
	}
	return nil, notSupported("%q does not encrypt", p.Name)
}

// Decrypt is the reverse of Encrypt. It fails if data was changed, as far as the
// algorithm can tell.
func (p *Params) Decrypt(data []byte) ([]byte, error) {
	if p.Name == "RSA-OAEP" {
		return p.decryptOAEP(data)
	}
	block, err := aes.NewCipher(p.Key)
	if err != nil {
		return nil, operationError("%v", err)
	}
	switch p.Name {
	case "AES-GCM":
		return p.openGCM(block, data)
	case "AES-CBC":
		return p.decryptCBC(block, data)
	case "AES-CTR":
		return p.ctr(block, data)
	case "AES-KW":
		return unwrap(block, data)
	}
	return nil, notSupported("%q does not decrypt", p.Name)
}

const gcmTag = 16 // bytes

// gcm is the mode, and the length of its tags in bytes.
func (p *Params) gcm(block cipher.Block) (cipher.AEAD, int, error) {
	if !slices.Contains([]int{32, 64, 96, 104, 112, 120, 128}, p.TagLength) {
		return nil, 0, operationError("the tag of AES-GCM can't have %d bits", p.TagLength)
	}
	if len(p.IV) == 0 {
		return nil, 0, operationError("the iv of AES-GCM is empty")
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(p.IV))
	if err != nil {
		return nil, 0, operationError("%v", err)
	}
	return aead, p.TagLength / 8, nil
}

func (p *Params) sealGCM(block cipher.Block, data []byte) ([]byte, error) {
	aead, tag, err := p.gcm(block)
	if err != nil {
		return nil, err
	}
	sealed := aead.Seal(nil, p.IV, data, p.Additional)
	return sealed[:len(data)+tag], nil
}

// openGCM opens what sealGCM sealed. The library does not take short tags together
// with every iv; then data is decrypted by encrypting it once more, which is the
// same in this mode, and the tag is that of sealing it again.
func (p *Params) openGCM(block cipher.Block, data []byte) ([]byte, error) {
	aead, tag, err := p.gcm(block)
	if err != nil {
		return nil, err
	}
	if len(data) < tag {
		return nil, operationError("the data is shorter than its tag")
	}
	if tag == gcmTag {
		plain, err := aead.Open(nil, p.IV, data, p.Additional)
		if err != nil {
			return nil, operationError("the data does not fit its tag")
		}
		return plain, nil
	}
	sealed, given := data[:len(data)-tag], data[len(data)-tag:]
	plain := aead.Seal(nil, p.IV, sealed, nil)[:len(sealed)]
	want := aead.Seal(nil, p.IV, plain, p.Additional)[len(plain):]
	if subtle.ConstantTimeCompare(want[:tag], given) != 1 {
		return nil, operationError("the data does not fit its tag")
	}
	return plain, nil
}

func (p *Params) encryptCBC(block cipher.Block, data []byte) ([]byte, error) {
	if len(p.IV) != aes.BlockSize {
		return nil, operationError("the iv of AES-CBC must have 16 bytes, not %d", len(p.IV))
	}
	pad := aes.BlockSize - len(data)%aes.BlockSize
	out := make([]byte, len(data), len(data)+pad)
	copy(out, data)
	for range pad {
		out = append(out, byte(pad))
	}
	cipher.NewCBCEncrypter(block, p.IV).CryptBlocks(out, out)
	return out, nil
}

func (p *Params) decryptCBC(block cipher.Block, data []byte) ([]byte, error) {
	if len(p.IV) != aes.BlockSize {
		return nil, operationError("the iv of AES-CBC must have 16 bytes, not %d", len(p.IV))
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, operationError("the data does not consist of blocks of 16 bytes")
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, p.IV).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, operationError("the data is not padded")
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, operationError("the data is not padded")
		}
	}
	return out[:len(out)-pad], nil
}

// ctr encrypts and decrypts. Only the lowest Length bits of the counter count, and
// they start again at zero, where the library's counter has 128 bits.
func (p *Params) ctr(block cipher.Block, data []byte) ([]byte, error) {
	if len(p.Counter) != aes.BlockSize {
		return nil, operationError("the counter of AES-CTR must have 16 bytes, not %d", len(p.Counter))
	}
	if p.Length < 1 || p.Length > 128 {
		return nil, operationError("the counter of AES-CTR can't have %d bits", p.Length)
	}
	counter := new(big.Int).SetBytes(p.Counter)
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Length))
	low := new(big.Int).Mod(counter, size)
	blocks := big.NewInt(int64(len(data)+aes.BlockSize-1) / aes.BlockSize)
	if blocks.Cmp(size) > 0 {
		return nil, operationError("a counter of %d bits is too short for this data", p.Length)
	}
	first := len(data) // bytes until it starts again
	if left := new(big.Int).Sub(size, low); left.Cmp(blocks) < 0 {
		first = int(left.Int64()) * aes.BlockSize
	}
	out := make([]byte, len(data))
	cipher.NewCTR(block, p.Counter).XORKeyStream(out[:first], data[:first])
	if first < len(data) {
		restarted := counter.Sub(counter, low).FillBytes(make([]byte, aes.BlockSize))
		cipher.NewCTR(block, restarted).XORKeyStream(out[first:], data[first:])
	}
	return out, nil
}

// wrapIV is the default of RFC 3394, 2.2.3.1.
const wrapIV = 0xa6a6a6a6a6a6a6a6

// wrap is RFC 3394, 2.2.1.
func wrap(block cipher.Block, data []byte) ([]byte, error) {
	n := len(data) / 8
	if len(data)%8 != 0 || n < 2 {
		return nil, operationError("AES-KW wraps at least 16 bytes, and a multiple of 8, not %d", len(data))
	}
	out := make([]byte, 8+len(data))
	copy(out[8:], data)
	var b [aes.BlockSize]byte
	a := uint64(wrapIV)
	for t := range uint64(6 * n) {
		r := out[8+8*(int(t)%n):][:8]
		binary.BigEndian.PutUint64(b[:8], a)
		copy(b[8:], r)
		block.Encrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:8]) ^ (t + 1)
		copy(r, b[8:])
	}
	binary.BigEndian.PutUint64(out, a)
	return out, nil
}

// unwrap is RFC 3394, 2.2.2.
func unwrap(block cipher.Block, data []byte) ([]byte, error) {
	n := len(data)/8 - 1
	if len(data)%8 != 0 || n < 2 {
		return nil, operationError("what AES-KW wrapped has at least 24 bytes, and a multiple of 8, not %d", len(data))
	}
	out := slices.Clone(data[8:])
	var b [aes.BlockSize]byte
	a := binary.BigEndian.Uint64(data)
	for t := 6*n - 1; t >= 0; t-- {
		r := out[8*(t%n):][:8]
		binary.BigEndian.PutUint64(b[:8], a^uint64(t+1))
		copy(b[8:], r)
		block.Decrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:8])
		copy(r, b[8:])
	}
	if a != wrapIV {
		return nil, operationError("this key did not wrap the data, or it was changed")
	}
	return out, nil
}
