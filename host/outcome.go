package host

// Outcome is how an Invocation ended.
type Outcome uint8

const (
	OutcomeOK               Outcome = iota
	OutcomeException                // the guest trapped, or gave no answer
	OutcomeExceededCPU              // stopped at Limits.CPU
	OutcomeExceededMemory           // trapped after it was refused memory
	OutcomeExceededWallTime         // stopped at Limits.Wall
	OutcomeCanceled                 // the client went away
	OutcomeLoadShed                 // the node had no room; the guest did not run
	OutcomeNotFound                 // nothing is deployed under that address
	OutcomeInternalError            // a fault of the node
	Outcomes                        // how many there are
)

var outcomeNames = [...]string{"ok", "exception", "exceededCpu", "exceededMemory",
	"exceededWallTime", "canceled", "loadShed", "notFound", "internalError"}

// String is the name that logs, metrics and the tail show.
func (o Outcome) String() string { return outcomeNames[o] }
