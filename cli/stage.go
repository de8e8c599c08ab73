package cli

import (
	"os"

	"github.com/spf13/pflag"
)

// stageFlag says which stage of mayfly.toml a command works with: --env, or else
// MAYFLY_ENV or wrangler's CLOUDFLARE_ENV. An empty --env is the top level,
// whatever the environment says.
type stageFlag struct {
	name  string
	flags *pflag.FlagSet
}

func (s *stageFlag) register(f *pflag.FlagSet) {
	s.flags = f
	f.StringVarP(&s.name, "env", "e", "", "stage, as in [env.STAGE] of mayfly.toml (MAYFLY_ENV, CLOUDFLARE_ENV)")
}

// given reports whether the flag itself was given.
func (s *stageFlag) given() bool { return s.flags != nil && s.flags.Changed("env") }

// get is the stage; "" is the top level.
func (s *stageFlag) get() string {
	if s.given() {
		return s.name
	}
	return firstOf(os.Getenv("MAYFLY_ENV"), os.Getenv("CLOUDFLARE_ENV"))
}
