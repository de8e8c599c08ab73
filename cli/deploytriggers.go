package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// setTriggers sets what a manifest says beside the module. Its errors say what was not.
func setTriggers(ctx context.Context, client *api.Client, m *deploy.Manifest) error {
	if crons := m.Triggers.Crons; crons != nil {
		if _, err := client.SetSchedules(ctx, m.Name, crons); err != nil {
			return fmt.Errorf("its cron triggers are as they were: %w", err)
		}
	}
	if list := m.Triggers.KV; list != nil {
		if _, err := client.SetKVTriggers(ctx, m.Name, list); err != nil {
			return fmt.Errorf("its KV triggers are as they were: %w", err)
		}
	}
	if err := setConsumers(ctx, client, m); err != nil {
		return fmt.Errorf("does not consume all of its queues: %w", err)
	}
	if v := m.Invoke; v != nil {
		config := api.InvokeConfig{Retries: v.Retries}
		if v.OnFailure != (deploy.Destination{}) {
			config.OnFailure = &v.OnFailure
		}
		if err := client.SetInvokeConfig(ctx, m.Name, config); err != nil {
			return fmt.Errorf("[invoke] is not in force: %w", err)
		}
	}
	return nil
}

// dropKVTriggers ends those of a Function that is to have none, before what may have no
// handler of changes any more.
func dropKVTriggers(ctx context.Context, client *api.Client, m *deploy.Manifest) error {
	if list := m.Triggers.KV; list == nil || len(list) > 0 {
		return nil
	}
	_, err := client.SetKVTriggers(ctx, m.Name, []deploy.NewKVTrigger{})
	if refused, ok := errors.AsType[*api.Error](err); ok && refused.Status == 404 { // there is no Function yet
		return nil
	}
	return err
}
