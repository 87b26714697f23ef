package web_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/refresh"
)

func sha(n int) string { return strings.Repeat(fmt.Sprintf("%02x", n%256), 20) }

func merges(n, behind int, since time.Time) []bot.MergeReport {
	refs := []string{"18.0", "18.0-mig-account_asset_management", "refs/pull/1234/head", "18.0-fix-a_module_with_a_very_long_name-and-what-it-was-about-spelled-out-in-full"}
	var ms []bot.MergeReport
	for i := range n {
		m := bot.MergeReport{Remote: []string{"oca", "odoo", "acme-internal-fork"}[i%3], Ref: refs[i%len(refs)], Locked: sha(i), Newest: sha(i)}
		if i < behind {
			m.Newest, m.Behind, m.Since = sha(i+77), 41-i*13, since.Add(time.Duration(i)*24*time.Hour)
		}
		ms = append(ms, m)
	}
	return ms
}

func behindReport(now time.Time) *bot.Report {
	return &bot.Report{
		Trigger: "schedule", Started: now.Add(-13 * time.Minute), Finished: now.Add(-12 * time.Minute),
		Outcomes: []bot.Outcome{
			{Repo: "acme/odoo-image", Group: "./odoo", Action: bot.Opened, Title: "Refresh ./odoo: 41 commits of odoo/odoo 18.0", URL: "https://git.example.com/acme/odoo-image/pulls/118"},
			{Repo: "acme/odoo-image", Group: "./addons/account-financial-tools", Action: bot.Unchanged, Title: "Refresh ./addons/account-financial-tools: [FIX] account_move_line_tax_editable: do not lose the analytic distribution", URL: "https://git.example.com/acme/odoo-image/pulls/115"},
			{Repo: "acme/odoo-image", Group: "./addons/web", Action: bot.Held, Reason: "somebody pushed to odyssey/merge/addons-web; close the pull request to have a new one"},
			{Repo: "acme/odoo-image", Group: "./addons/server-tools", Action: bot.Held, Reason: "the newest commit is 5 h old; minimumAge is 24h"},
		},
		Destinations: []bot.DestinationReport{
			{Path: "./odoo", Merges: merges(2, 1, now.Add(-12*24*time.Hour))},
			{Path: "./addons/account-financial-tools", Merges: merges(4, 2, now.Add(-26*time.Hour))},
			{Path: "./addons/web", Merges: merges(1, 0, now), Held: "@maria wrote /hold ./addons/web on 12 November: waits for the release"},
		},
		Pulls: []bot.Pull{
			{URL: "https://git.example.com/acme/odoo-image/pulls/115", Title: "Refresh ./addons/account-financial-tools: [FIX] account_move_line_tax_editable: do not lose the analytic distribution"},
			{URL: "https://git.example.com/acme/odoo-image/pulls/118", Title: "Refresh ./odoo: 41 commits of odoo/odoo 18.0"},
		},
	}
}

func current(idle string) *bot.Report {
	return &bot.Report{
		Trigger: "push", Started: noon.Add(-2 * time.Hour), Finished: noon.Add(-2 * time.Hour), Idle: idle,
		Destinations: []bot.DestinationReport{{Path: "./odoo", Merges: merges(2, 0, noon)}},
	}
}

func failing(why string) *bot.Report {
	r := current("")
	r.Error = why
	return r
}

func held() *bot.Report {
	r := current("")
	r.Destinations[0].Held = "@karl reverted the last refresh"
	r.Destinations[0].Merges = merges(2, 2, noon.Add(-40*24*time.Hour))
	r.Outcomes = []bot.Outcome{{Group: "./odoo", Action: bot.Held, Reason: "@karl reverted the last refresh"}}
	return r
}

func waiting() *bot.Report {
	r := current("")
	r.Destinations[0].Merges = []bot.MergeReport{{Remote: "oca", Ref: "18.0", Locked: sha(1), Newest: sha(2), Behind: -1, Since: noon.Add(-5 * time.Hour)}}
	r.Outcomes = []bot.Outcome{{Group: "./odoo", Action: bot.Held, Reason: "the newest commit is 5 h old; minimumAge is 24h"}}
	return r
}

func hostileReport() *bot.Report {
	return &bot.Report{
		Trigger: "comment by " + hostile, Commands: []string{"/hold " + hostile}, Finished: noon.Add(-time.Hour), Idle: hostile, WebURL: "javascript:alert(1)",
		Outcomes: []bot.Outcome{
			{Group: hostile, Action: bot.Opened, Title: hostile, URL: "javascript:alert(document.domain)//7", Reason: hostile},
			{Group: "y", Action: bot.Action(hostile), Title: "an action", URL: "https://git.example.com/x/y/pulls/8"},
			{Group: "x", Action: bot.Updated, Title: "a link with a password", URL: "https://user:canary-7f3a@git.example.com/x/y/pulls/9"},
			{Group: "long", Action: bot.Held, Title: strings.Repeat("w", 300), Reason: strings.Repeat("long words ", 400)},
		},
		Destinations: []bot.DestinationReport{{Path: hostile, Held: hostile, Merges: []bot.MergeReport{
			{Remote: hostile, Ref: hostile, Locked: hostile, Newest: "data:text/html,<script>alert(1)</script>", Behind: 1 << 40, Since: noon.Add(-time.Hour), URL: hostile, Verdict: refresh.Verdict(hostile), Why: hostile, Pull: refresh.Pull{URL: "javascript:alert(2)", Title: hostile}},
		}}},
		Pulls: []bot.Pull{
			{URL: "javascript:alert(document.domain)//7", Title: hostile},
			{URL: "https://user:canary-7f3a@git.example.com/x/y/pulls/9", Title: "a link with a password"},
		},
	}
}
