package sdk_test

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"testing"

	cloudflare "github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/shared"
)

// mustNamespace makes a namespace and returns its id.
func mustNamespace(t *testing.T, c *cloudflare.Client, title string) string {
	t.Helper()
	made, err := c.KV.Namespaces.New(t.Context(), kv.NamespaceNewParams{AccountID: cloudflare.F(account), Title: cloudflare.F(title)})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func testNamespaces(t *testing.T, n node) {
	c := n.client(n.token)
	var want []string
	for i := range 25 { // more than a page has
		want = append(want, mustNamespace(t, c, fmt.Sprintf("space-%02d", i)))
	}
	var got []string
	pages := c.KV.Namespaces.ListAutoPaging(t.Context(), kv.NamespaceListParams{
		AccountID: cloudflare.F(account), Order: cloudflare.F(kv.NamespaceListParamsOrderTitle), Direction: cloudflare.F(kv.NamespaceListParamsDirectionAsc)})
	for pages.Next() {
		got = append(got, pages.Current().ID)
	}
	if err := pages.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	renamed, err := c.KV.Namespaces.Update(t.Context(), want[0], kv.NamespaceUpdateParams{AccountID: cloudflare.F(account), Title: cloudflare.F("other")})
	if err != nil || renamed.Title != "other" {
		t.Errorf("got %+v, %v", renamed, err)
	}
	if _, err := c.KV.Namespaces.Delete(t.Context(), want[0], kv.NamespaceDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	_, err = c.KV.Namespaces.Get(t.Context(), want[0], kv.NamespaceGetParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 404, 10013)
	_, err = c.KV.Namespaces.New(t.Context(), kv.NamespaceNewParams{AccountID: cloudflare.F(account), Title: cloudflare.F("space-01")})
	wantError(t, err, 409, 10014)
}

func testValues(t *testing.T, n node) {
	c := n.client(n.token)
	id := mustNamespace(t, c, "values")
	const name = "a key/with: every%thing?é"
	key := url.PathEscape(name) // the SDK leaves it to its user
	_, err := c.KV.Namespaces.Values.Update(t.Context(), id, key, kv.NamespaceValueUpdateParams{
		AccountID: cloudflare.F(account), Value: cloudflare.F[kv.NamespaceValueUpdateParamsValueUnion](shared.UnionString("text\x00é")),
		Metadata: cloudflare.F[any](`{"a":1}`), ExpirationTTL: cloudflare.F(3600.0)})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.KV.Namespaces.Values.Get(t.Context(), id, key, kv.NamespaceValueGetParams{AccountID: cloudflare.F(account)})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "text\x00é" || resp.Header.Get("Expiration") == "" {
		t.Errorf("got %q, %v, %v", body, err, resp.Header)
	}
	metadata, err := c.KV.Namespaces.Metadata.Get(t.Context(), id, key, kv.NamespaceMetadataGetParams{AccountID: cloudflare.F(account)})
	if err != nil || metadata == nil {
		t.Errorf("got metadata %v, %v", metadata, err)
	}
	keys, err := c.KV.Namespaces.Keys.List(t.Context(), id, kv.NamespaceKeyListParams{AccountID: cloudflare.F(account), Prefix: cloudflare.F("a key/")})
	if err != nil || len(keys.Result) != 1 || keys.Result[0].Name != name || keys.Result[0].Expiration == 0 {
		t.Errorf("got %+v, %v", keys, err)
	}
	if _, err := c.KV.Namespaces.Values.Delete(t.Context(), id, key, kv.NamespaceValueDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	_, err = c.KV.Namespaces.Values.Get(t.Context(), id, key, kv.NamespaceValueGetParams{AccountID: cloudflare.F(account)})
	wantError(t, err, 404, 10009)
}

func testBulk(t *testing.T, n node) {
	c := n.client(n.token)
	id := mustNamespace(t, c, "bulk")
	var pairs []kv.NamespaceBulkUpdateParamsBody
	var names []string
	for i := range 1500 { // more than a page of keys
		names = append(names, fmt.Sprintf("k%04d", i))
		pairs = append(pairs, kv.NamespaceBulkUpdateParamsBody{Key: cloudflare.F(names[i]), Value: cloudflare.F(fmt.Sprint(i)), ExpirationTTL: cloudflare.F(3600.0)})
	}
	put, err := c.KV.Namespaces.BulkUpdate(t.Context(), id, kv.NamespaceBulkUpdateParams{AccountID: cloudflare.F(account), Body: pairs})
	if err != nil || put.SuccessfulKeyCount != 1500 {
		t.Fatalf("got %+v, %v", put, err)
	}
	var listed []string
	pages := c.KV.Namespaces.Keys.ListAutoPaging(t.Context(), id, kv.NamespaceKeyListParams{AccountID: cloudflare.F(account)})
	for pages.Next() {
		listed = append(listed, pages.Current().Name)
	}
	if err := pages.Err(); err != nil || !slices.Equal(listed, names) {
		t.Errorf("got %d keys, %v, want %d in order", len(listed), err, len(names))
	}
	got, err := c.KV.Namespaces.BulkGet(t.Context(), id, kv.NamespaceBulkGetParams{AccountID: cloudflare.F(account), Keys: cloudflare.F([]string{"k0007", "k0008"})})
	if err != nil {
		t.Fatal(err)
	}
	if values, ok := got.AsUnion().(kv.NamespaceBulkGetResponseWorkersKVBulkGetResult); !ok || values.Values["k0007"] != shared.UnionString("7") {
		t.Errorf("got %#v", got.AsUnion())
	}
	gone, err := c.KV.Namespaces.BulkDelete(t.Context(), id, kv.NamespaceBulkDeleteParams{AccountID: cloudflare.F(account), Body: names[1:]})
	if err != nil || gone.SuccessfulKeyCount != 1499 {
		t.Errorf("got %+v, %v", gone, err)
	}
	keys, err := c.KV.Namespaces.Keys.List(t.Context(), id, kv.NamespaceKeyListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(keys.Result) != 1 {
		t.Errorf("got %+v, %v, want one key left", keys, err)
	}
}
