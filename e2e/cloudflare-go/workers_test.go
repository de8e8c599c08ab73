package sdk_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/textproto"
	"testing"
	"time"

	cloudflare "github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/shared"
	"github.com/cloudflare/cloudflare-go/v7/workers"
)

// wantError checks an error of the API.
func wantError(t *testing.T, err error, status int, code int64) {
	t.Helper()
	failure, ok := errors.AsType[*cloudflare.Error](err)
	if !ok || failure.StatusCode != status || len(failure.Errors) != 1 || failure.Errors[0].Code != code {
		t.Errorf("got %v, want status %d with code %d", err, status, code)
	}
}

// module is the least that the node takes: a memory, and a function fetch that
// does nothing.
const module = "\x00asm\x01\x00\x00\x00" +
	"\x01\x04\x01\x60\x00\x00" + // a type: nothing to nothing
	"\x03\x02\x01\x00" + // a function of it
	"\x05\x03\x01\x00\x01" + // a page of memory
	"\x07\x12\x02\x06memory\x02\x00\x05fetch\x00\x00" +
	"\x0a\x04\x01\x02\x00\x0b"

// upload deploys the module. The SDK's own form has the metadata in a part for
// each of its keys, which Cloudflare does not take either; so the form is given.
func upload(t *testing.T, c *cloudflare.Client, name, message string) error {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, part := range []struct{ name, kind, body string }{
		{"metadata", "application/json", `{"main_module":"main.wasm","compatibility_date":"2026-01-01","annotations":{"workers/message":"` + message + `"},"bindings":[{"type":"plain_text","name":"GREETING","text":"hi"}]}`},
		{"main.wasm", "application/wasm", module},
	} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}, "Content-Disposition": {`form-data; name="` + part.name + `"; filename="` + part.name + `"`}})
		if err != nil {
			t.Fatal(err)
		}
		p.Write([]byte(part.body))
	}
	w.Close()
	_, err := c.Workers.Scripts.Update(t.Context(), name, workers.ScriptUpdateParams{AccountID: cloudflare.F(account)},
		option.WithRequestBody(w.FormDataContentType(), form.Bytes()))
	return err
}

func testScripts(t *testing.T, n node) {
	c := n.client(n.token)
	for _, message := range []string{"first", "second"} {
		if err := upload(t, c, "hello", message); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.Workers.Scripts.List(t.Context(), workers.ScriptListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(list.Result) != 1 || list.Result[0].ID != "hello" || list.Result[0].CreatedOn.IsZero() || list.Result[0].ModifiedOn.Before(list.Result[0].CreatedOn) {
		t.Errorf("got %+v, %v", list, err)
	}
	var versions []string
	pages := c.Workers.Scripts.Versions.ListAutoPaging(t.Context(), "hello", workers.ScriptVersionListParams{AccountID: cloudflare.F(account)})
	for pages.Next() {
		versions = append(versions, pages.Current().ID)
	}
	if err := pages.Err(); err != nil || len(versions) != 2 {
		t.Fatalf("got versions %v, %v, want 2", versions, err)
	}
	version, err := c.Workers.Scripts.Versions.Get(t.Context(), "hello", versions[0], workers.ScriptVersionGetParams{AccountID: cloudflare.F(account)})
	if err != nil || version.Number != 2 || len(version.Resources.Bindings) != 1 || version.Resources.Bindings[0].Name != "GREETING" {
		t.Errorf("got %+v, %v", version, err)
	}
	deployments, err := c.Workers.Scripts.Deployments.List(t.Context(), "hello", workers.ScriptDeploymentListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(deployments.Deployments) == 0 || len(deployments.Deployments[0].Versions) != 1 || deployments.Deployments[0].Versions[0].VersionID != versions[0] {
		t.Errorf("got %+v, %v, want the second version to serve", deployments, err)
	}
	if _, err := c.Workers.Scripts.Delete(t.Context(), "hello", workers.ScriptDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	_, err = c.Workers.Scripts.Versions.List(t.Context(), "hello", workers.ScriptVersionListParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 404, 10007)
}

func testSecrets(t *testing.T, n node) {
	c := n.client(n.token)
	if err := upload(t, c, "hello", "first"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Workers.Scripts.Secrets.Update(t.Context(), "hello", workers.ScriptSecretUpdateParams{AccountID: cloudflare.F(account),
		Body: workers.ScriptSecretUpdateParamsBodyWorkersBindingKindSecretText{
			Name: cloudflare.F("KEY"), Text: cloudflare.F("secret"), Type: cloudflare.F(workers.ScriptSecretUpdateParamsBodyWorkersBindingKindSecretTextTypeSecretText)}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Workers.Scripts.Secrets.List(t.Context(), "hello", workers.ScriptSecretListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(list.Result) != 1 || list.Result[0].Name != "KEY" {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := c.Workers.Scripts.Secrets.Delete(t.Context(), "hello", "KEY", workers.ScriptSecretDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	_, err = c.Workers.Scripts.Secrets.Get(t.Context(), "hello", "KEY", workers.ScriptSecretGetParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 404, 10056)
}

func testTokens(t *testing.T, n node) {
	c := n.client(n.token)
	groups, err := c.Accounts.Tokens.PermissionGroups.List(t.Context(), accounts.TokenPermissionGroupListParams{AccountID: cloudflare.F(account)})
	if err != nil {
		t.Fatal(err)
	}
	var group string
	for _, g := range groups.Result {
		if g.Name == "Workers KV Storage Write" {
			group = g.ID
		}
	}
	made, err := c.Accounts.Tokens.New(t.Context(), accounts.TokenNewParams{
		AccountID: cloudflare.F(account), Name: cloudflare.F("ci"), ExpiresOn: cloudflare.F(time.Now().Add(time.Hour)),
		Policies: cloudflare.F([]shared.TokenPolicyParam{{
			Effect:           cloudflare.F(shared.TokenPolicyEffectAllow),
			PermissionGroups: cloudflare.F([]shared.TokenPolicyPermissionGroupParam{{ID: cloudflare.F(group)}}),
			Resources:        cloudflare.F[shared.TokenPolicyResourcesUnionParam](shared.TokenPolicyResourcesIAMResourcesTypeObjectStringParam{"com.cloudflare.api.account." + account: "*"}),
		}})})
	if err != nil {
		t.Fatal(err)
	}
	own := n.client(string(made.Value))
	verified, err := own.User.Tokens.Verify(t.Context())
	if err != nil || verified.Status != "active" || verified.ID != made.ID || verified.ExpiresOn.IsZero() {
		t.Errorf("got %+v, %v", verified, err)
	}
	mustNamespace(t, own, "allowed")
	_, err = own.Workers.Scripts.List(t.Context(), workers.ScriptListParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 403, 9109)
	var names []string
	pages := c.Accounts.Tokens.ListAutoPaging(t.Context(), accounts.TokenListParams{AccountID: cloudflare.F(account)})
	for pages.Next() {
		names = append(names, pages.Current().Name)
	}
	if err := pages.Err(); err != nil || len(names) != 1 || names[0] != "ci" {
		t.Errorf("got %v, %v", names, err)
	}
	if _, err := c.Accounts.Tokens.Delete(t.Context(), made.ID, accounts.TokenDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	_, err = own.KV.Namespaces.List(t.Context(), kv.NamespaceListParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 401, 10000)
}
