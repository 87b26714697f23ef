package bot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

func testMark(digit string) mark {
	return mark{target: strings.Repeat(digit, 64), parent: strings.Repeat(digit, 40), lock: strings.Repeat(digit, 64)}
}

func TestReadMark(t *testing.T) {
	t.Parallel()
	one, two := testMark("1"), testMark("2")
	long := one
	long.parent = strings.Repeat("1", 64) // of a repository with SHA-256
	for _, test := range []struct {
		name, body string
		want       mark
	}{
		{"as written", marked("Text.", one), one},
		{"edited in a browser", strings.ReplaceAll(marked("Text.\nMore.", one), "\n", "\r\n"), one},
		{"text around it", "a " + one.String() + " b", one},
		{"SHA-256", long.String(), long},
		{"two", one.String() + two.String(), one},
		{"none", "Text.", mark{}},
		{"empty", "", mark{}},
		{"truncated", one.String()[:100], mark{}},
		{"without its end", strings.TrimSuffix(one.String(), " -->"), mark{}},
		{"short digest", strings.Replace(one.String(), "1 parent", " parent", 1), mark{}},
		{"capitals", strings.ToUpper(one.String()), mark{}},
		{"more inside", strings.Replace(one.String(), " -->", " more -->", 1), mark{}},
		{"over two lines", strings.Replace(one.String(), " lock", "\nlock", 1), mark{}},
		{"made void", unmarked(marked("Text.", one)), mark{}},
		{"both made void", unmarked(one.String() + two.String()), mark{}},
	} {
		if diff := cmp.Diff(test.want, readMark(test.body), cmp.AllowUnexported(mark{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		body := marked(test.body, two)
		if got := readMark(body); got != two || marked(body, two) != body {
			t.Errorf("%s: marked anew it reads %+v, again %q", test.name, got, marked(body, two))
		}
		if body := unmarked(body); body == "" || readMark(body) != (mark{}) {
			t.Errorf("%s: made void it is %q", test.name, body)
		}
	}
}

// M1: nothing that a stranger wrote into a text can pass for a mark, a note, or
// the end of one.
func TestFault_M1_NoMarkFromStrangers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{testMark("1").String(), noteStart, noteEnd, farewell} {
		p := refresh.Proposal{}
		p.Changes = append(p.Changes, change("./"+text, "oca", text))
		for _, item := range p.List() {
			if strings.Contains(item, "<!--") || readMark(item) != (mark{}) {
				t.Errorf("%q stays as it is: %q", text, item)
			}
		}
	}
}

func TestNoted(t *testing.T) {
	t.Parallel()
	body := marked("| a table |\n\nText.", testMark("1"))
	first := noted(body, "> One.")
	want := "<!-- odyssey note -->\n> One.\n\n<!-- /odyssey note -->\n\n" + body
	if diff := cmp.Diff(want, first); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if again := noted(noted(first, "> Two.\n>\n> - x"), "> One."); again != first {
		t.Errorf("one after another (-want +got):\n%s", cmp.Diff(first, again))
	}
	for name, body := range map[string]string{
		"plain": body, "noted": first, "empty": "", "edited in a browser": strings.ReplaceAll(first, "\n", "\r\n"),
		"an end alone": noteEnd + body, "a start alone": noteStart + body, "not at the start": "Mine.\n" + first,
	} {
		got := noted(body, "> One.")
		if again := noted(got, "> One."); again != got {
			t.Errorf("%s: said again (-want +got):\n%s", name, cmp.Diff(got, again))
		}
		if name == "edited in a browser" && got != first {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(first, got))
		}
	}
	if readMark(first) != testMark("1") {
		t.Error("the mark is gone")
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	b := &Bot{Identity: forge.Identity{Name: "odyssey-bot", Email: "bot@example.org"}}
	message := "Refresh ./odoo\n\n./odoo acme 17.0\n\n" + refresh.Trailer + strings.Repeat("1", 64) + "\n"
	for _, test := range []struct {
		name    string
		by      forge.Identity
		message string
		want    bool
	}{
		{"the bot's", b.Identity, message, true},
		{"amended or rebased", forge.Identity{Name: "Ana", Email: "ana@example.org"}, message, false},
		{"another of that name", forge.Identity{Name: b.Identity.Name, Email: "ana@example.org"}, message, false},
		{"another of that address", forge.Identity{Name: "Ana", Email: b.Identity.Email}, message, false},
		{"by the forge", forge.Identity{Name: "Gitea", Email: "noreply@example.org"}, message, false},
		{"without the trailer", b.Identity, "Merge branch main\n", false},
		{"with the trailer in a line", b.Identity, "Talk of " + refresh.Trailer + "x\n", false},
		{"empty", forge.Identity{}, "", false},
	} {
		if got := b.own(forge.Branch{Committer: test.by, Message: test.message}); got != test.want {
			t.Errorf("%s: own is %t", test.name, got)
		}
	}
}

// F8: who a commit says it is by decides only where the forge does not know.
func TestFault_F8_Own(t *testing.T) {
	t.Parallel()
	b := &Bot{Identity: forge.Identity{Name: "odyssey-bot", Email: "odyssey-bot@example.org"}}
	made := "Refresh\n\n" + refresh.Trailer + "x\n"
	for name, c := range map[string]struct {
		branch forge.Branch
		want   bool
	}{
		"the bot's":                          {forge.Branch{Committer: b.Identity, Message: made}, true},
		"somebody's":                         {forge.Branch{Committer: forge.Identity{Name: "Ann"}, Message: made}, false},
		"without the trailer":                {forge.Branch{Committer: b.Identity, Message: "Mine"}, false},
		"the App's":                          {forge.Branch{Vouched: true, Own: true, Message: made}, true},
		"the App's, without the trailer":     {forge.Branch{Vouched: true, Own: true, Message: "Mine"}, false},
		"in the bot's name, as GitHub knows": {forge.Branch{Vouched: true, Committer: b.Identity, Message: made}, false},
	} {
		if got := b.own(c.branch); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
