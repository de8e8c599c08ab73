package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// canaryFlags say how a new Version is tried on a part of the requests.
type canaryFlags struct {
	percent      string
	promoteAfter time.Duration
	rollbackOn   string
	minRequests  int64
}

func (f *canaryFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.percent, "canary", "", "give the new version only this part of the requests, such as 5%")
	flags.DurationVar(&f.promoteAfter, "promote-after", 0, "with --canary: let it serve alone if it does well for so long, such as 10m")
	flags.StringVar(&f.rollbackOn, "rollback-on", "", "with --canary: withdraw it as soon as it does worse, such as 'errors>1%,p99>2x'")
	flags.Int64Var(&f.minRequests, "min-requests", 0, fmt.Sprintf("with --canary: decide nothing before it has answered so many (default %d)", deploy.DefaultMinRequests))
}

func (f *canaryFlags) given() bool {
	return f.percent != "" || f.promoteAfter != 0 || f.rollbackOn != "" || f.minRequests != 0
}

// Where one of the two flags is given, the other one has a default.
const (
	defaultPromoteAfter = 10 * time.Minute
	defaultRollbackOn   = "errors>1%"
)

// rollout is how the trial of a Version goes on; nil if somebody decides.
func (f *canaryFlags) rollout(version string) *api.Rollout {
	if f.promoteAfter == 0 && f.rollbackOn == "" {
		return nil
	}
	after := f.promoteAfter
	if after == 0 {
		after = defaultPromoteAfter
	}
	return &api.Rollout{Version: version, PromoteAfterSeconds: after.Seconds(), RollbackOn: firstOf(f.rollbackOn, defaultRollbackOn), MinRequests: f.minRequests}
}

func (f *canaryFlags) parse(c *cobra.Command) (percent int, err error) {
	if f.percent == "" {
		return 0, usagef(c, "--promote-after, --rollback-on and --min-requests need --canary PERCENT")
	}
	percent, err = strconv.Atoi(strings.TrimSuffix(f.percent, "%"))
	if err != nil || percent < 1 || percent > 99 {
		return 0, usagef(c, "--canary wants 1%% to 99%%, not %q", f.percent)
	}
	if f.rollbackOn != "" {
		if err := new(deploy.Rollout).ParseRollbackOn(f.rollbackOn); err != nil {
			return 0, usagef(c, "--rollback-on: %v", err)
		}
	}
	return percent, nil
}

// try uploads a Version and gives it a part of the requests.
func (d *deployCommand) try(c *cobra.Command, client *api.Client, file string, m *deploy.Manifest) error {
	percent, err := d.canary.parse(c)
	if err != nil {
		return err
	}
	serving, err := client.Deployments(c.Context(), m.Name)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Has(api.CodeNoScript) {
		return fmt.Errorf("%w; there is nothing to compare with: deploy it without --canary first", err)
	}
	if err != nil {
		return err
	}
	v, err := d.uploadVersion(c.Context(), client, file, m)
	if err != nil {
		return err
	}
	shares := []api.Share{{VersionID: serving[0].Versions[0].VersionID, Percentage: 100 - percent}, {VersionID: v.ID, Percentage: percent}}
	made := api.Deployment{Versions: shares, Annotations: annotations(api.MessageAnnotation, d.message)}
	made.Mayfly.Rollout = d.canary.rollout(v.ID)
	if made, err = client.Deploy(c.Context(), m.Name, made, true); err != nil {
		return err
	}
	if d.json {
		return printJSON(d.stdio.Out, made)
	}
	_, err = fmt.Fprintf(d.stdio.Out, "%s now serves %s\n'mayfly deployments list --name %s' tells how it goes on\n", m.Name, sharesText(shares), m.Name)
	return err
}
