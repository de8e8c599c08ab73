package deploy_test

import (
	"reflect"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// base has a binding of each type.
func base() deploy.Settings {
	return deploy.Settings{
		Vars:            map[string]deploy.Var{"TEXT": {Text: "t"}, "JSON": {JSON: []byte("1")}},
		KVNamespaces:    []deploy.KVNamespace{{Binding: "KV", ID: "one"}},
		Services:        []deploy.Service{{Binding: "AUTH", Service: "auth"}},
		RateLimits:      []deploy.RateLimit{{Name: "LIMITER", NamespaceID: "1"}},
		VersionMetadata: deploy.VersionMetadata{Binding: "VERSION"},
		Assets:          &deploy.Assets{Binding: "ASSETS"},
	}
}

func TestInherit(t *testing.T) {
	var got deploy.Settings
	for _, name := range []string{"TEXT", "JSON", "KV", "AUTH", "LIMITER", "VERSION", "ASSETS"} {
		if !got.Inherit(base(), name) {
			t.Errorf("%s was not inherited", name)
		}
	}
	if want := base(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Inherit(base(), "NOTHING") || got.Inherit(base(), "") {
		t.Error("what is not there was inherited")
	}
}

func TestKeep(t *testing.T) {
	for kind, name := range map[string]string{"plain_text": "TEXT", "json": "JSON", "kv_namespace": "KV", "service": "AUTH",
		"ratelimit": "LIMITER", "version_metadata": "VERSION", "assets": "ASSETS"} {
		var got, want deploy.Settings
		got.Keep(base(), []string{kind, "secret_text", "frobnicate"})
		want.Inherit(base(), name)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", kind, got, want)
		}
	}
	own := deploy.Settings{Vars: map[string]deploy.Var{"KV": {Text: "mine"}}}
	own.Keep(base(), []string{"kv_namespace"})
	if len(own.KVNamespaces) != 0 {
		t.Errorf("a binding of the same name was kept: %+v", own)
	}
}
