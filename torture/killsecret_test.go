package torture_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host/hosttest"
)

const (
	secretKeys  = 4
	secretSize  = 64        // bytes of a text, at the most
	secretKey   = "secret " // begins its key in a ledger
	secretsName = "tells"   // the Function that has them
)

func secretName(i int) string { return fmt.Sprintf("KEY_%d", i) }

// telling answers with the texts of all secrets, each in secretSize bytes.
func telling() []byte {
	const names, texts = 100, 1000
	return build([]string{"env_get", "respond"}, func(m *hosttest.Module, call map[string]uint32) [][]byte {
		var ops [][]byte
		for i := range secretKeys {
			name := secretName(i)
			at := int32(names + i*len(name))
			m.Data(uint32(at), []byte(name))
			ops = append(ops, numbers(at, int32(len(name)), int32(texts+i*secretSize), secretSize), hosttest.Call(call["env_get"]), hosttest.Drop)
		}
		return append(ops, numbers(200, 0, 0, texts, secretKeys*secretSize), hosttest.Call(call["respond"]), hosttest.Drop)
	})
}

// secret is the text that the guest is given now; empty if there is none.
func (k *killed) secret(t *testing.T, name string) string {
	t.Helper()
	text := k.says(secretsName)
	if len(text) != secretKeys*secretSize {
		t.Fatalf("the Function with secrets answers %q", text)
	}
	for i := range secretKeys {
		if secretName(i) == name {
			return strings.TrimRight(text[i*secretSize:(i+1)*secretSize], "\x00")
		}
	}
	t.Fatalf("no secret has the name %s", name)
	return ""
}

// secretsUntil puts and deletes secrets, alone and several at once, until the node
// is gone.
func (k *killed) secretsUntil(t *testing.T, over *atomic.Bool) {
	for status := 200; status != 0 && !over.Load(); {
		name := secretName(rand.IntN(secretKeys))
		n := note{Key: secretKey + name}
		switch rand.IntN(5) {
		case 0:
			status = k.do(t, []note{n}, func() int { return k.changeSecret(t, "DELETE", "secrets/"+name, nil) })
		case 1:
			status = k.secretsBulk(t)
		default:
			n.Value = k.newValue()
			status = k.do(t, []note{n}, func() int {
				return k.changeSecret(t, "PUT", "secrets", map[string]string{"name": name, "text": n.Value, "type": "secret_text"})
			})
		}
	}
}

// secretsBulk puts half of the secrets and deletes the others.
func (k *killed) secretsBulk(t *testing.T) int {
	var notes []note
	texts := map[string]any{}
	for i := range secretKeys {
		n := note{Key: secretKey + secretName(i)}
		texts[secretName(i)] = nil
		if rand.IntN(2) == 0 {
			n.Value = k.newValue()
			texts[secretName(i)] = map[string]string{"text": n.Value, "type": "secret_text"}
		}
		notes = append(notes, n)
	}
	return k.do(t, notes, func() int { return k.changeSecret(t, "PATCH", "secrets-bulk", map[string]any{"secrets": texts}) })
}

func (k *killed) changeSecret(t *testing.T, method, path string, body any) int {
	text, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
	}
	status, _, _ := k.call(t, method, "/workers/scripts/"+secretsName+"/"+path, text, "Content-Type", "application/json")
	return status
}
