package command_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot/command"
)

var sha = strings.Repeat("0123456789", 4)

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]command.Command{
		"/refresh":                           {Word: command.Refresh},
		"/refresh ./odoo":                    {Word: command.Refresh, Dest: "./odoo"},
		"/refresh odoo":                      {Word: command.Refresh, Dest: "odoo"},
		"/refresh ./odoo nuobit 17.0-hotfix": {Word: command.Refresh, Dest: "./odoo", Remote: "nuobit", Ref: "17.0-hotfix"},
		"/refresh ./odoo --to " + sha:        {Word: command.Refresh, Dest: "./odoo", To: sha},
		"/refresh ./odoo a b --to=" + sha:    {Word: command.Refresh, Dest: "./odoo", Remote: "a", Ref: "b", To: sha},
		"/refresh ./odoo --to " + strings.ToUpper(strings.Repeat("ab", 32)): {Word: command.Refresh, Dest: "./odoo", To: strings.Repeat("ab", 32)},
		"/refresh all":              {Word: command.Refresh, Kind: command.All},
		"/refresh base":             {Word: command.Refresh, Kind: command.Base},
		"/refresh python":           {Word: command.Refresh, Kind: command.Python},
		"/refresh Enterprise":       {Word: command.Refresh, Kind: command.Enterprise},
		"/refresh ./all":            {Word: command.Refresh, Dest: "./all"},
		"/hold ./odoo":              {Word: command.Hold, Dest: "./odoo"},
		"/unhold ./odoo":            {Word: command.Unhold, Dest: "./odoo"},
		"/hold base":                {Word: command.Hold, Kind: command.Base},
		"/hold ./base":              {Word: command.Hold, Dest: "./base"},
		"/unhold Python":            {Word: command.Unhold, Kind: command.Python},
		"/hold enterprise":          {Word: command.Hold, Kind: command.Enterprise},
		"/hold all":                 {Word: command.Hold, Dest: "all"},
		"/rebase":                   {Word: command.Rebase},
		"/help":                     {Word: command.Help},
		"/Refresh \t ./odoo\u00a0 ": {Word: command.Refresh, Dest: "./odoo"},
		"/HELP  ":                   {Word: command.Help},
	} {
		got := command.Parse(line)
		want.Line = strings.TrimRight(line, " \t")
		if diff := cmp.Diff([]command.Command{want}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

// What is meant for the bot but wrong is answered, with what is right.
func TestParse_faults(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/refrsh ./odoo":                           "Near: `/refresh`",
		"/erfresh":                                 "",
		"/refersh":                                 "Near: `/refresh`",
		"/unhol ./odoo":                            "Near: `/unhold`",
		"/hole ./odoo":                             "Near: `/hold`",
		"/r\u0435fresh":                            "Near: `/refresh`",
		"/rebsae":                                  "Near: `/rebase`",
		"/refresh ./odoo nuobit":                   "write `/refresh`",
		"/refresh a b c d":                         "write `/refresh`",
		"/refresh --all":                           "write `/refresh`",
		"/refresh ./odoo --only":                   "write `/refresh`",
		"/refresh --to " + sha:                     "which destination `--to` is about",
		"/refresh all --to " + sha:                 "`--to` goes with one destination",
		"/refresh ./odoo --to":                     "a commit goes after `--to`.",
		"/refresh ./odoo --to=":                    "whole id",
		"/refresh ./odoo --to 1601de2":             "whole id",
		"/refresh ./odoo --to " + sha + "0":        "whole id",
		"/refresh ./odoo --to $(id)":               "whole id",
		"/refresh ./odoo --to " + sha + " x y":     "write `/refresh`",
		"/hold":                                    "name one destination: `/hold",
		"/unhold":                                  "name one destination: `/unhold",
		"/hold ./odoo ./web":                       "name one destination",
		"/hold base python":                        "name one destination",
		"/hold --all":                              "name one destination",
		"/rebase ./odoo":                           "takes nothing after it",
		"/help me":                                 "takes nothing after it",
		"/refresh " + strings.Repeat("a", 251):     "too long",
		"/hold a" + strings.Repeat(" ", 700) + "a": "too long",
	} {
		got := command.Parse(line)
		if want == "" {
			if len(got) > 0 {
				t.Errorf("%q: %+v", line, got)
			}
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Fault, want) || len(got[0].Line) > 210 {
			t.Errorf("%q: %+v, want a fault with %q", line, got, want)
		}
	}
}

// What begins with a slash is mostly not for the bot.
func TestParse_notOurs(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "/", "//", "/ refresh", "/usr/bin", "/home", "/home is full", "/cc @x", "/lgtm", "/approve", "/retest", "/test all", "/close", "/reopen",
		"/label bug", "/release", "/merge", "/assign me", "/tell me", "/old", "/bold", "/refresh/", "/refresh:", "/refresh,", "/refresh./odoo",
		"/refresh\u200b", "\u200b/refresh", " /refresh", "\t/refresh", "- /refresh", "* /refresh", "1. /refresh", "# /refresh", "`/refresh`", "**/refresh**",
		"please /refresh", "refresh", "\\/refresh", "|/refresh|", "[/refresh](x)", "@bot /refresh", "/" + strings.Repeat("refresh", 9),
	} {
		if got := command.Parse(line); len(got) > 0 {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// Commands are found where the author speaks, and nowhere else. Each text has
// /help where it counts, and /rebase where it does not.
func TestParse_places(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"alone":                    "/help",
		"after text":               "Please:\n/help\nThank you.",
		"CRLF":                     "Please:\r\n/help\r\n",
		"CR":                       "Please:\r/help\r",
		"fence":                    "```\n/rebase\n```\n/help",
		"fence with a language":    "```sh\n/rebase\n```\n/help",
		"indented fence":           "   ```\n/rebase\n   ```\n/help",
		"tildes":                   "~~~\n/rebase\n```\n/rebase\n~~~\n/help",
		"tildes with backticks":    "~~~ a`b\n/rebase\n~~~\n/help",
		"longer fence":             "````\n```\n/rebase\n```\n/rebase\n````\n/help",
		"closed by a longer one":   "```\n/rebase\n`````  \n/help",
		"not closed by a language": "```\n/rebase\n```sh\n/rebase\n```\n/help",
		"not closed when indented": "```\n/rebase\n    ```\n/rebase\n```\n/help",
		"unclosed fence":           "/help\n```\n/rebase\n\n/rebase",
		"fence in CRLF":            "```\r\n/rebase\r\n```\r\n/help",
		"no fence: inline code":    "```a```\n/help",
		"no fence: indented":       "x\n\n    ```\n\n/help\n\n    ```",
		"indented code":            "    /rebase\n\t/rebase\n\n/help",
		"quote":                    "> /rebase\n\n/help",
		"quote without a space":    ">/rebase\n\n/help",
		"indented quote":           "   > a\n   > /rebase\n\n/help",
		"quote that goes on":       "> a\n/rebase\nand\n/rebase\n\n/help",
		"fence after a quote":      "> a\n```\n/rebase\n```\n/help",
		"fence in a quote":         "> ```\n> /rebase\n\n/help",
		"HTML comment":             "<!--\n/rebase\n-->\n/help",
		"comment in a line":        "/help\ntext <!-- hidden\n/rebase\n-->",
		"unclosed comment":         "/help\n<!--\n/rebase",
		"comment in a fence":       "```\n<!--\n```\n/help",
		"fence in a comment":       "<!--\n```\n-->\n/help",
		"pre":                      "<pre>\n/rebase\n</pre>\n/help",
		"PRE with attributes":      "<PRE class=x>\n/rebase\n</Pre>\n/help",
		"code":                     "a <code>x</code>\n/help\n<code>\n/rebase\n</code>",
		"blockquote":               "<blockquote>\n\n/rebase\n\n</blockquote>\n/help",
		"details":                  "<details>\n\n/help\n\n</details>",
		"pre with other bytes":     "<pre>\xff\xfe\u0130\n\u0130\xff</PRE>\n/help",
		"list":                     "- a\n- b\n\n/help",
		"after an empty quote":     "> a\n\n> /rebase\n\n/help",
		"comment in code":          "`<!--`\n/help",
		"code over lines":          "see `foo\n/rebase\nbar`\n/help",
		"code with two backticks":  "``\n/rebase\n``\n\n/help",
		"quote in a list":          "- > he said\n/rebase\n\n/help",
		"quote in a numbered list": "1. > he said\n/rebase\n\n/help",
		"item of a list":           "- /rebase\n\n/help",
		"goes on in a list":        "- a\n/rebase\n\n/help",
		"instruction":              "<?\n/rebase\n?>\n\n/help",
		"declaration":              "<!X\n/rebase\n>\n\n/help",
		"CDATA":                    "<![CDATA[\n/rebase\n]]>\n\n/help",
		"title of a link":          "[x]: http://a.example \"\n/rebase\n\"\n\n/help",
		"attribute":                "/help\n\n<img alt=\"\n/rebase\n\">",
		"attribute in a line":      "/help\na <a title='x\n/rebase\n'>x</a>",
		"attribute of a block":     "<div class='x\n/rebase\n'></div>\n\n/help",
		"title of a link in text":  "a [b](http://a.example \"x\n/rebase\n\") c\n/help",
		"links":                    "a [b](c) [d](e)\n/help",
		"nested beyond reason":     "/help\n\n" + strings.Repeat("> ", 40) + "/rebase",
		"mathematics":              "$$\n/rebase\n$$\n\n/help",
		"quoted words":             "<q>\n/rebase\n</q>\n\n/help",
		"keys":                     "a <kbd>x\n/rebase\n</kbd>\n/help",
		"hidden":                   "<div hidden>\n/rebase\n</div>\n\n/help",
		"hidden over blocks":       "<div hidden>\n\n/rebase\n\n</div>\n\n/help",
		"frame":                    "<iframe>\n/rebase\n</iframe>\n\n/help",
		"struck out":               "~~a\n/rebase\nb~~\n\n/help",
		"emphasis":                 "*a\n/rebase\nb*\n\n/help",
		"footnote":                 "a[^1]\n\n[^1]: x\n/rebase\n\n/help",
		"table":                    "/help\n\na | b\n--|--\n/rebase | x",
		"in a div":                 "<div>\n/help\n</div>",
		"before a rule":            "/help\n---\n",
		"comments that are closed": "<!-- a --> <!-- b -->\n\n/help",
		"comment goes on":          "/help\n\n<!-- a --> <!-- b\n\n/rebase\n\n",
		"unknown element":          "/help\n\n<prefix>\n/rebase\n\n/rebase",
		"long comment":             "/help\n" + strings.Repeat("x\n", 1<<15) + "/rebase",
	} {
		var words []string
		for _, c := range command.Parse(body) {
			words = append(words, string(c.Word))
		}
		if got := strings.Join(words, " "); got != "help" {
			t.Errorf("%s: found %q in %q", name, got, body)
		}
	}
}

func TestParse_many(t *testing.T) {
	t.Parallel()
	got := command.Parse("/help\n/usr\n" + strings.Repeat("/rebase\n", 100))
	if len(got) != command.Most+1 || got[0].Word != command.Help || got[1].Fault != "" {
		t.Fatalf("%d commands: %+v", len(got), got)
	}
	if last := got[command.Most]; !strings.HasPrefix(last.Fault, "I take 10 commands") {
		t.Errorf("%+v", last)
	}
}

func TestGrammar(t *testing.T) {
	t.Parallel()
	for _, line := range command.Grammar() {
		text := strings.NewReplacer("./DEST", "./odoo", "REMOTE REF", "oca 17.0", "COMMIT", sha).Replace(line[0])
		if got := command.Parse(text); len(got) != 1 || got[0].Fault != "" || line[1] == "" {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/refresh ./odoo a b --to " + sha)
	f.Add("> a\n```\n/help\n```\r\n<!-- x -->\n<pre>\n/hold ./x")
	f.Add("<!--\xff-->\n/refrsh \xc3\x28")
	f.Fuzz(func(t *testing.T, body string) {
		found := command.Parse(body)
		if len(found) > command.Most+1 {
			t.Errorf("%d commands", len(found))
		}
		for _, c := range found {
			if strings.ContainsAny(c.Line, "\r\n") || len(c.Line) > 210 || !strings.HasPrefix(c.Line, "/") {
				t.Errorf("line %q", c.Line)
			}
			if strings.Contains(c.Fault, c.Dest) && c.Dest != "" || !utf8.ValidString(c.Fault) {
				t.Errorf("fault %q repeats what was written", c.Fault)
			}
			if again := command.Parse(c.Line); c.Fault == "" && len(c.Line) < 200 && (len(again) != 1 || again[0] != c) {
				t.Errorf("%q alone is %+v, was %+v", c.Line, again, c)
			}
		}
		if quoted := command.Parse("> " + strings.ReplaceAll(strings.ReplaceAll(body, "\r", "\n"), "\n", "\n> ")); len(quoted) > 0 {
			t.Errorf("in a quote: %+v", quoted)
		}
	})
}
