package githubtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

// What GitHub would not answer is found.
func TestAnswersAreHeldToTheDescription(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	s.AddRepo(forge.Name{Owner: "owner", Name: "image"})
	r := httptest.NewRequest(http.MethodGet, "/repos/owner/image", http.NoBody)
	c, err := s.description.checkRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	good := s.shapeRepo(s.repos[0])
	header := http.Header{"Content-Type": {jsonType}}
	for what, answer := range map[string]struct {
		status int
		spoil  func(map[string]any)
		want   string
	}{
		"good":           {http.StatusOK, func(map[string]any) {}, ""},
		"missing field":  {http.StatusOK, func(m map[string]any) { delete(m, "archived") }, `"archived" is missing`},
		"wrong type":     {http.StatusOK, func(m map[string]any) { m["private"] = "no" }, "/private"},
		"wrong below":    {http.StatusOK, func(m map[string]any) { m["owner"] = map[string]any{"login": 1} }, "/owner"},
		"another status": {http.StatusAccepted, func(map[string]any) {}, "status 202"},
		"no message":     {http.StatusConflict, func(map[string]any) {}, "without a message"},
	} {
		body := map[string]any{}
		mustNot(json.Unmarshal(must(json.Marshal(good)), &body))
		answer.spoil(body)
		err := c.checkResponse(t.Context(), answer.status, header, must(json.Marshal(body)))
		if answer.want == "" && err != nil || answer.want != "" && (err == nil || !strings.Contains(err.Error(), answer.want)) {
			t.Errorf("%s: error %v, want %q", what, err, answer.want)
		}
	}
}
