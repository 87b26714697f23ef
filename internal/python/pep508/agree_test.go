package pep508_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// TestAgree_Markers: every marker that packaging parses has the same value
// here, for every environment, and every one that it refuses is refused.
func TestAgree_Markers(t *testing.T) {
	t.Parallel()
	q := questions{Markers: slices.Concat(markerTable(), generatedMarkers(2000)), Environments: environments()}
	got := askPackaging(t, q)
	trues := 0
	for i, text := range q.Markers {
		marker, parseErr := pep508.ParseMarker(text)
		for j, env := range q.Environments {
			refused := refusal(got.Markers[i][j])
			err, result := parseErr, false
			if err == nil {
				result, err = marker.Eval(env)
			}
			var want bool
			if refused == "" {
				if err := json.Unmarshal(got.Markers[i][j], &want); err != nil {
					t.Fatal(err)
				}
			}
			if (err != nil) != (refused != "") || result != want {
				t.Errorf("%s for %s: %v, %v; packaging: %s", text, env["python_full_version"], result, err, got.Markers[i][j])
			}
			if result {
				trues++
			}
		}
	}
	if all := len(q.Markers) * len(q.Environments); trues < all/5 || trues > all*4/5 {
		t.Errorf("%d of %d are true; a corpus that says little", trues, all)
	}
}

// TestAgree_Requirements: Odoo's and OCA's lines, and all kinds of others.
func TestAgree_Requirements(t *testing.T) {
	t.Parallel()
	var q questions
	q.Environments = environments()
	q.Requirements = slices.Concat(realLines(t), requirementTable(), generatedRequirements(1500))
	var parsed []pep508.Requirement // those with markers
	for _, text := range q.Requirements {
		if r, err := pep508.Parse(text); err == nil && !r.Marker.IsZero() {
			parsed = append(parsed, r)
			q.Markers = append(q.Markers, r.Marker.String())
		}
	}
	got := askPackaging(t, q)
	for i, text := range q.Requirements {
		checkRequirement(t, text, got.Requirements[i])
	}
	for i, r := range parsed {
		for j, env := range q.Environments {
			result, err := r.Marker.Eval(env)
			if want := string(got.Markers[i][j]); err != nil && refusal(got.Markers[i][j]) == "" || err == nil && want != map[bool]string{true: "true", false: "false"}[result] {
				t.Errorf("%s for %s: %v, %v; packaging: %s", r.Marker, env["python_full_version"], result, err, want)
			}
		}
	}
}

func checkRequirement(t *testing.T, text string, raw json.RawMessage) {
	t.Helper()
	type parts struct {
		Name, Normalized string
		Extras           []string
		Specifier        [][2]string
		URL              string
		Marker           bool
	}
	r, err := pep508.Parse(text)
	refused := refusal(raw)
	if (err != nil) != (refused != "") {
		t.Errorf("%q: %v; packaging: %s", text, err, raw)
	}
	if err != nil || refused != "" {
		return
	}
	var want parts
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got := parts{Name: r.Name, Normalized: r.Normalized, Extras: append([]string{}, r.Extras...), Specifier: [][2]string{}, URL: r.URL, Marker: !r.Marker.IsZero()}
	for _, s := range r.Specifier {
		got.Specifier = append(got.Specifier, [2]string{s.Op, s.Version})
	}
	slices.SortFunc(got.Specifier, func(a, b [2]string) int { return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1]) })
	got.Specifier = slices.Compact(got.Specifier) // as a set
	want.Specifier = slices.Compact(want.Specifier)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-packaging +here):\n%s", text, diff)
	}
}

// TestAgree_Versions: order and bounds.
func TestAgree_Versions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	q := questions{}
	for range 4000 {
		a, b := versions(r)
		q.Versions = append(q.Versions, [2]string{a, b})
		a, b = versions(r)
		if r.IntN(4) == 0 {
			a = release(r) + ".*"
		}
		q.Specifiers = append(q.Specifiers, [2]string{pick(r, operators...) + pick(r, "", " ") + a, b})
	}
	got := askPackaging(t, q)
	for i, pair := range q.Versions {
		a, errA := pep508.ParseVersion(pair[0])
		b, errB := pep508.ParseVersion(pair[1])
		if refused := refusal(got.Versions[i]) != ""; refused != (errA != nil || errB != nil) {
			t.Errorf("%q, %q: %v, %v; packaging: %s", pair[0], pair[1], errA, errB, got.Versions[i])
		} else if !refused {
			checkJSON(t, strings.Join(pair[:], " ? "), pep508.Compare(a, b), got.Versions[i])
		}
	}
	for i, pair := range q.Specifiers {
		requirement, err := pep508.Parse("p" + pair[0])
		if refused := refusal(got.Specifiers[i]) != ""; refused != (err != nil) {
			t.Errorf("%q: %v; packaging: %s", pair[0], err, got.Specifiers[i])
		} else if !refused {
			checkJSON(t, strings.Join(pair[:], " contains "), requirement.Specifier.Contains(pair[1]), got.Specifiers[i])
		}
	}
}

func checkJSON(t *testing.T, what string, got any, want json.RawMessage) {
	t.Helper()
	if text, err := json.Marshal(got); err != nil || string(text) != string(want) {
		t.Errorf("%s: %s; packaging: %s", what, text, want)
	}
}

// realLines are the requirements of Odoo and of some OCA repositories.
func realLines(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/real/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no real lines", err)
	}
	var lines []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(" "+line, " #")
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}
