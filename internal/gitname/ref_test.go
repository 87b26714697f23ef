package gitname_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
)

// gitAccepts asks git itself about names, the only judge of what a ref is.
func gitAccepts(t testing.TB, ref string) bool {
	t.Helper()
	cmd := exec.Command("git", "check-ref-format", "--allow-onelevel", ref)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd.Run() == nil
}

func TestCheckRef(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"17.0", "18.10", "6054e2", "main", "HEAD", "refs/heads/17.0", "refs/pull/3091/head", "pull/1/head", "17.0-hotfix_stock+1",
		"feature/#12-x=y,z", "a@b", "año", "версия", "v1.0%", "a/-b", strings.Repeat("a", 40), strings.Repeat("r", 250), "_git_aggregated",
	} {
		if err := gitname.CheckRef(ref); err != nil {
			t.Errorf("%q: %v", ref, err)
		}
		if !gitAccepts(t, ref) {
			t.Errorf("git refuses %q", ref)
		}
	}
}

// A ref that an option parser, a shell or git would read as something else.
func TestFault_G1_Ref(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"", "-x", "--upload-pack=touch canary", "--upload-pack=x", "-", "$(id)", "a$(id)", "`id`", "a;b", "a|b", "a&b", "a>b", "a b", "a\tb", "a\nb", "a\n--x", "a\x00b", "a\x7fb",
		"a\u00a0b", "a\u2028b", "a\u202eb", "a\xffb", "a~1", "a^", "a^{}", "a:b", ":a", "+a", "a?b", "a*", "a[b", `a\b`, "a'b", `a"b`, "a(b", "a{b", "a@{1}", "@", "@{u}", ".a", "a/.b", "a..b",
		"a//b", "/a", "a/", "a.", "a.lock", "a.lock/b", "a!b", "refs/heads/a..b", strings.Repeat("a", 251),
	} {
		err := gitname.CheckRef(ref)
		if err == nil {
			t.Errorf("%q passes", ref)
		} else if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x202e }) {
			t.Errorf("the error repeats control characters: %q", err)
		}
	}
}

// Whatever passes is a ref for git, too: names put together at random from
// pieces that matter to one side or the other.
func TestCheckRef_git(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "Z", "0", "1.0", ".", "..", "/", "//", "-", "_", "@", "{", "@{", "~", "^", ":", "?", "*", "[", `\`, " ", "\n", "\x7f", ".lock", ".git", "#", "+", "=", ",", "%", "é", "\u0301", "\xc3"}
	random := rand.New(rand.NewPCG(1, 2))
	passed := 0
	for range 20_000 {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		ref := b.String()
		if gitname.CheckRef(ref) != nil {
			continue
		}
		// One process for each of many: a sample is enough.
		if passed++; passed%20 == 0 && !gitAccepts(t, ref) {
			t.Errorf("%q passes, and git refuses it", ref)
		}
	}
	if passed < 1000 {
		t.Errorf("only %d of the names passed; the pieces test nothing", passed)
	}
}

func FuzzCheckRef(f *testing.F) {
	for _, seed := range []string{"17.0", "refs/pull/1/head", "-x", "a..b", "a.lock/b", "é", "a@{", "a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if gitname.CheckRef(ref) != nil {
			return
		}
		if strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, "\x00 \n\t$`'\"\\;|&<>(){}*?[!^~:") || !gitAccepts(t, ref) {
			t.Errorf("%q passes", ref)
		}
	})
}

func TestCheckRemote(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"odoo", "OCA", "nuobit-1", "a.b", "a_b", "8", "é"} {
		if err := gitname.CheckRemote(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if !gitAccepts(t, "refs/remotes/"+name+"/x") {
			t.Errorf("git refuses the remote %q", name)
		}
	}
}

func TestFault_G1_Remote(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "-o", "--upload-pack=x", "a b", "a/b", "a\nb", "$(id)", "a..b", ".", "..", "a.", "a.lock", "ext::x", "a:b", "a@b", strings.Repeat("a", 251)} {
		if gitname.CheckRemote(name) == nil {
			t.Errorf("%q passes", name)
		}
	}
}

func TestIsObjectID(t *testing.T) {
	t.Parallel()
	sha1, sha256 := strings.Repeat("0a", 20), strings.Repeat("f9", 32)
	for _, id := range []string{sha1, sha256} {
		if !gitname.IsObjectID(id) {
			t.Errorf("%q is none", id)
		}
	}
	if i := slices.IndexFunc([]string{"", sha1[1:], sha1 + "0", sha256[1:], strings.ToUpper(sha1), sha1 + "\n", " " + sha1, strings.Repeat("g", 40)}, gitname.IsObjectID); i >= 0 {
		t.Errorf("number %d is one", i)
	}
}
