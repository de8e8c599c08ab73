package runtime

import (
	"math/rand/v2"

	"github.com/mayfly-run/mayfly/host/abi"
)

// goRandName is the import that stands in for Go's runtime.rand, from which map
// iteration, hashes and math/rand draw. Go's own generator lies in the guest's
// memory, so it would begin with the same state in every request.
const goRandName = "go_rand"

// goRand gives 64 bits of the host's generator: ChaCha8 with 256 bits of state,
// seeded by the operating system.
func goRand(abi.Guest, abi.Args) int64 { return int64(rand.Uint64()) }
