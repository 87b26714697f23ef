package web

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Text on what it stands on has a contrast of 4.5 at least, in light and dark
// (WCAG 2.2, 1.4.3).
func TestContrast(t *testing.T) {
	t.Parallel()
	style, err := files.ReadFile("page/style.css")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(style), "* { box-sizing", 2)
	themes := strings.SplitN(parts[0], "@media (prefers-color-scheme: dark)", 2)
	if len(parts) != 2 || len(themes) != 2 {
		t.Fatal("the colours are not where they were")
	}
	for i, theme := range themes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(theme, -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		pairs := [][2]string{
			{"ink", "ground"},
			{"ink", "sheet"},
			{"soft", "ground"},
			{"soft", "sheet"},
			{"soft", "rest-ground"},
			{"ink", "rest-ground"},
			{"accent", "ground"},
			{"accent", "sheet"},
			{"bad", "sheet"},
			{"sheet", "bad"},
			{"ink", "bad-ground"},
			{"good", "sheet"},
		}
		for _, tone := range []string{"bad", "late", "held", "review", "good", "rest"} {
			pairs = append(pairs, [2]string{tone, tone + "-ground"}, [2]string{tone, "sheet"}, [2]string{"ink", tone + "-ground"})
		}
		for _, p := range pairs {
			x, okX := colour[p[0]]
			y, okY := colour[p[1]]
			if !okX || !okY {
				t.Fatalf("theme %d has no colour %s or %s", i, p[0], p[1])
			}
			if ratio := (max(x, y) + .05) / (min(x, y) + .05); ratio < 4.5 {
				t.Errorf("theme %d: %s on %s has a contrast of %.2f", i, p[0], p[1], ratio)
			}
		}
	}
}

// luminance is the relative luminance of "rrggbb".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
