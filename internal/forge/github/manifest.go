package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Manifest describes a GitHub App that may do what the bot needs, and no more
// (docs.github.com, "Registering a GitHub App from a manifest").
type Manifest struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Description string            `json:"description"`
	Public      bool              `json:"public"`
	Hook        Hook              `json:"hook_attributes"`
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"` // GitHub sends those of installations unasked
}

// Hook says where an App's webhooks go.
type Hook struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// homepage is what an App's page links to.
const homepage = "https://github.com/nuobit/odyssey"

const maxAppName = 34 // characters

var forgeRE = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

// NewManifest returns the manifest of an App of a name for a bot whose listener
// for webhooks is at a public URL ("https://bot.example.com"). forgeName is what
// the bot's configuration calls this GitHub, "github" unless it says so.
func NewManifest(name, bot, forgeName string) (Manifest, error) {
	u, err := url.Parse(bot)
	hook := "/webhooks/github"
	if forgeName != "github" {
		hook += "/" + forgeName
	}
	switch {
	case !forgeRE.MatchString(forgeName):
		return Manifest{}, fmt.Errorf("%q is no name of a forge in the configuration", forgeName)
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Manifest{}, errors.New("the bot's address must be like https://bot.example.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return Manifest{}, errors.New("the bot's address must begin with https://")
	case name == "" || len([]rune(name)) > maxAppName:
		return Manifest{}, fmt.Errorf("the App's name must have 1 to %d characters", maxAppName)
	}
	return Manifest{
		Name: name, URL: homepage, Description: "Keeps the sources of Odoo images fresh with pull requests.",
		Hook: Hook{URL: strings.TrimRight(u.String(), "/") + hook, Active: true},
		Permissions: map[string]string{
			"metadata":      "read",  // repositories, and who may write in them
			"contents":      "write", // branches and commits
			"pull_requests": "write",
			"issues":        "write", // comments, reactions, labels; holds and faults
			"checks":        "write",
			"actions":       "write", // that a workflow ended; the run that resolves the Python lock
			"statuses":      "read",  // of upstreams that are private
		},
		Events: []string{"check_run", "check_suite", "issue_comment", "issues", "pull_request", "pull_request_review", "push", "repository", "workflow_run"},
	}, nil
}

// JSON returns the manifest, indented, with a newline at its end.
func (m Manifest) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render the manifest: %w", err)
	}
	return append(data, '\n'), nil
}

// Link returns the address of a page of the GitHub at start
// ("https://github.com") on which all that the manifest says is filled in, for
// an App of an organisation or, when owner is "", of who opens it
// (docs.github.com, "Registering a GitHub App using URL parameters").
func (m Manifest) Link(start, owner string) (string, error) {
	page, err := url.Parse(strings.TrimRight(start, "/"))
	if err != nil || page.Host == "" || page.RawQuery != "" || page.User != nil {
		return "", errors.New("the forge's address must be like https://github.com")
	}
	page = page.JoinPath("settings", "apps", "new")
	if owner != "" {
		page.Path = strings.TrimSuffix(page.Path, "settings/apps/new") + "organizations/" + owner + "/settings/apps/new"
	}
	query := []string{
		pair("name", m.Name), pair("description", m.Description), pair("url", m.URL), pair("public", fmt.Sprint(m.Public)),
		pair("webhook_active", fmt.Sprint(m.Hook.Active)), pair("webhook_url", m.Hook.URL),
	}
	for _, name := range slices.Sorted(maps.Keys(m.Permissions)) {
		query = append(query, pair(name, m.Permissions[name]))
	}
	for _, event := range m.Events {
		query = append(query, pair("events[]", event))
	}
	page.RawQuery = strings.Join(query, "&")
	return page.String(), nil
}

func pair(name, value string) string { return url.QueryEscape(name) + "=" + url.QueryEscape(value) }
