// Package osv asks an OSV server, such as https://api.osv.dev, which versions of
// Python packages have known vulnerabilities.
package osv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/refresh"
)

// DefaultURL is where the Open Source Vulnerabilities project has its API.
const DefaultURL = "https://api.osv.dev"

// Bounds of a question and of an answer, which is a stranger's.
const (
	mostQueries = 1000 // of a batch, as the API allows
	mostAnswer  = 4 << 20
	mostIDs     = 200 // of a package
	patience    = 20 * time.Second
)

var (
	idForm      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{2,59}$`)
	versionForm = regexp.MustCompile(`^[0-9][A-Za-z0-9.+!-]{0,60}$`)
)

// Client asks one server.
type Client struct {
	URL  string // of the API, without a slash at its end
	HTTP *http.Client
}

type query struct {
	Package struct {
		Name      string `json:"name"`
		Ecosystem string `json:"ecosystem"`
	} `json:"package"`
	Version string `json:"version"`
}

// Known implements refresh.Advisories for packages of PyPI.
func (c *Client) Known(ctx context.Context, packages []refresh.Package) (map[refresh.Package][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asked []refresh.Package
	for _, p := range packages {
		if p.Type == "pypi" && versionForm.MatchString(p.Version) && !slices.Contains(asked, p) {
			asked = append(asked, p)
		}
	}
	known := map[refresh.Package][]string{}
	for some := range slices.Chunk(asked, mostQueries) {
		if err := c.batch(ctx, some, known); err != nil {
			return nil, fmt.Errorf("ask %s for vulnerabilities: %w", c.URL, err)
		}
	}
	return known, nil
}

// batch asks for some packages. Of a page that goes on, the first part is
// enough: it says that there are many.
func (c *Client) batch(ctx context.Context, packages []refresh.Package, known map[refresh.Package][]string) error {
	var question struct {
		Queries []query `json:"queries"`
	}
	for _, p := range packages {
		q := query{Version: p.Version}
		q.Package.Name, q.Package.Ecosystem = p.Name, "PyPI"
		question.Queries = append(question.Queries, q)
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/v1/querybatch", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	if err != nil {
		return err
	}
	var answer struct {
		Results []struct {
			Vulns []struct {
				ID string `json:"id"`
			} `json:"vulns"`
		} `json:"results"`
	}
	if len(data) > mostAnswer {
		return fmt.Errorf("it answers with more than %d MiB", mostAnswer>>20)
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("it answers with what is no JSON of this kind: %w", err)
	}
	if len(answer.Results) != len(packages) {
		return fmt.Errorf("it answers %d of %d questions", len(answer.Results), len(packages))
	}
	for i, r := range answer.Results {
		var ids []string
		for _, v := range r.Vulns[:min(len(r.Vulns), mostIDs)] {
			if idForm.MatchString(v.ID) {
				ids = append(ids, v.ID)
			}
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) > 0 {
			known[packages[i]] = ids
		}
	}
	return nil
}
