package control

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

type deploymentJSON struct {
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	Strategy    string            `json:"strategy"`
	AuthorEmail string            `json:"author_email"` // a node has no users: the token's name
	CreatedOn   time.Time         `json:"created_on"`
	Annotations map[string]string `json:"annotations"`
	Versions    []shareJSON       `json:"versions"`
	Mayfly      struct {
		Rollout *rolloutJSON `json:"rollout,omitempty"`
	} `json:"mayfly"`
}

// rolloutJSON is a Rollout.
type rolloutJSON struct {
	Version             string  `json:"version"`
	PromoteAfterSeconds float64 `json:"promote_after_seconds"`
	RollbackOn          string  `json:"rollback_on"` // such as "errors>1%,p99>2x"
	MinRequests         int64   `json:"min_requests"`
}

type shareJSON struct {
	VersionID  string `json:"version_id"`
	Percentage int    `json:"percentage"`
}

func deploymentOf(d deploy.Deployment) deploymentJSON {
	j := deploymentJSON{ID: d.ID, Source: "api", Strategy: "percentage", AuthorEmail: d.Author, CreatedOn: d.Created, Annotations: map[string]string{}}
	if d.Message != "" {
		j.Annotations[messageAnnotation] = d.Message
	}
	for _, s := range d.Versions {
		j.Versions = append(j.Versions, shareJSON{s.Version, s.Percentage})
	}
	if ro := d.Rollout; ro != nil {
		j.Mayfly.Rollout = &rolloutJSON{ro.Version, ro.PromoteAfter.Seconds(), ro.RollbackOn(), ro.MinRequests}
	}
	return j
}

func listDeployments(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	list := []deploymentJSON{}
	for _, d := range f.Deployments {
		list = append(list, deploymentOf(d))
	}
	return r.ok(map[string]any{"deployments": list})
}

func getDeployment(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	id := r.params["deployment"]
	i := slices.IndexFunc(f.Deployments, func(d deploy.Deployment) bool { return d.ID == id })
	if i < 0 {
		return &failure{http.StatusNotFound, 10007, "Function " + f.Name + " has no deployment " + id}
	}
	return r.ok(deploymentOf(f.Deployments[i]))
}

// deploymentInput is a Deployment as it arrives.
type deploymentInput struct {
	Strategy    string            `json:"strategy"`
	Versions    []shareJSON       `json:"versions"`
	Annotations map[string]string `json:"annotations"`
	Mayfly      struct {
		Rollout *rolloutJSON `json:"rollout"`
	} `json:"mayfly"`
}

func (in *deploymentInput) deployment() (n deploy.NewDeployment, err error) {
	if in.Strategy != "" && in.Strategy != "percentage" {
		return n, badRequest("the strategy is %q; percentage is offered", in.Strategy)
	}
	for _, s := range in.Versions {
		n.Versions = append(n.Versions, deploy.Share{Version: s.VersionID, Percentage: s.Percentage})
	}
	n.Message = in.Annotations[messageAnnotation]
	if in.Mayfly.Rollout == nil {
		return n, nil
	}
	ro := in.Mayfly.Rollout
	n.Rollout = &deploy.Rollout{Version: ro.Version, PromoteAfter: time.Duration(ro.PromoteAfterSeconds * float64(time.Second)), MinRequests: ro.MinRequests, MaxErrors: -1}
	if ro.RollbackOn != "" {
		err = n.Rollout.ParseRollbackOn(ro.RollbackOn)
	}
	return n, err
}

// createDeployment lets Versions serve that are stored.
func createDeployment(r *request) error {
	var in deploymentInput
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	n, err := in.deployment()
	if err != nil {
		return err
	}
	if r.URL.Query().Get("force") != "true" {
		if err := r.sameSecrets(n); err != nil {
			return err
		}
	}
	n.Author = r.token.Name
	d, err := r.api.registry.CreateDeployment(r.Context(), r.account(), r.params["script"], n)
	if err != nil {
		return err
	}
	r.note("deployment", d.ID)
	for _, s := range d.Versions {
		r.note("version", strings.TrimSpace(r.target["version"]+" "+s.Version))
	}
	return r.ok(deploymentOf(d))
}

// sameSecrets refuses to go back to a Version that had other secrets, with
// Cloudflare's code. Clients ask, and say that they mean it.
func (r *request) sameSecrets(n deploy.NewDeployment) error {
	_, now, err := r.function()
	if err != nil || len(n.Versions) != 1 {
		return err
	}
	v, err := r.api.registry.Version(r.Context(), r.account(), r.params["script"], n.Versions[0].Version)
	if err != nil || v.Number >= now.Number || maps.Equal(v.Secrets, now.Secrets) {
		return err
	}
	changed := map[string]bool{}
	for _, pair := range [][2]map[string]string{{v.Secrets, now.Secrets}, {now.Secrets, v.Secrets}} {
		for name, id := range pair[0] {
			if pair[1][name] != id {
				changed[name] = true
			}
		}
	}
	return &failure{http.StatusConflict, 10220, "The version has other secrets than the one that serves; add ?force=true to deploy it all the same, as 'wrangler rollback' does when it has asked. The following secrets have changed: " +
		strings.Join(slices.Sorted(maps.Keys(changed)), ", ")}
}
