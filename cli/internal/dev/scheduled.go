package dev

import (
	"github.com/valyala/fasthttp"
)

// scheduledPath is where wrangler dev takes scheduled events, with --test-scheduled.
const scheduledPath = "/__scheduled"

// defaultCron is what a Function is told where nothing is said.
const defaultCron = "* * * * *"

// interceptScheduled sends the Function a scheduled event, if that is asked for.
func (s *Session) interceptScheduled(ctx *fasthttp.RequestCtx) bool {
	if string(ctx.Path()) != scheduledPath || !ctx.IsGet() {
		return false
	}
	cron := string(ctx.QueryArgs().Peek("cron"))
	if cron == "" {
		cron = defaultCron
	}
	run, err := s.scheduled(ctx, s.name, cron)
	switch {
	case err != nil:
		ctx.Error(err.Error()+"\n", fasthttp.StatusBadRequest)
	case run.Outcome != "ok":
		ctx.Error("Scheduled event failed: "+run.Outcome+": "+run.Error+"\n", fasthttp.StatusInternalServerError)
	default:
		ctx.SetBodyString("Ran scheduled event\n")
	}
	return true
}
