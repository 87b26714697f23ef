package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// packing is a server that answers every fetch with a pack, and says that it has
// each commit that the client has.
func packing(pack []byte, shallow ...string) gitserver.Fault {
	return func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gitserver.Answer(greeting[:len(greeting)-4]+pkt("fetch=shallow\n")+pkt("object-format=sha1\n")+"0000", advertisement)(s, w, r)
			return
		}
		asked, _ := io.ReadAll(r.Body)
		var b strings.Builder
		if !bytes.Contains(asked, []byte("done\n")) {
			b.WriteString(pkt("acknowledgments\n"))
			for line := range strings.Lines(string(asked)) {
				if _, id, ok := strings.Cut(line, "have "); ok {
					b.WriteString(pkt("ACK " + strings.TrimSpace(id) + "\n"))
				}
			}
			b.WriteString(pkt("ready\n") + "0001")
		}
		b.WriteString(pkt("shallow-info\n"))
		for _, id := range shallow {
			b.WriteString(pkt("shallow " + id))
		}
		b.WriteString("0001" + pkt("packfile\n"))
		for part := pack; len(part) > 0; part = part[min(len(part), 60_000):] {
			b.WriteString(pkt("\x01" + string(part[:min(len(part), 60_000)])))
		}
		b.WriteString("0000")
		gitserver.Answer(b.String(), result)(s, w, r)
	}
}

// packOf packs objects of a repository, by git pack-objects.
func packOf(t testing.TB, repo *gitserver.Repo, list string, options ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", append([]string{"pack-objects", "--quiet", "--stdout"}, options...)...)
	cmd.Dir, cmd.Stdin = repo.Dir, strings.NewReader(list)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A store that has commits of a private repository does not give them out
// through another URL, whatever the server there says: who knows nothing but ids
// could have the files built into an image.
func TestFault_G5_PrivateObjects(t *testing.T) {
	t.Parallel()
	srv, evil := gitserver.New(t), gitserver.New(t)
	private, public := srv.Repo(t, "private"), srv.Repo(t, "public")
	forge := gitserver.New(t).Repo(t, "forge") // where the attacker makes objects
	private.Commit(t, "main", map[string]string{"old": "1"})
	secret := private.Commit(t, "main", map[string]string{"secret": noise(7, 5000), "d/other": noise(8, 100)})
	harmless := public.Commit(t, "main", map[string]string{"a": noise(9, 5000)})
	forge.Git(t, "fetch", "--quiet", private.Dir, secret)
	forge.Git(t, "fetch", "--quiet", public.Dir, harmless)
	tree := forge.Git(t, "rev-parse", secret+"^{tree}")
	blob := forge.Git(t, "rev-parse", secret+":secret")
	commit := func(tree string) string { return forge.Git(t, "commit-tree", "-m", "x", tree) }
	whole := commit(tree)
	borrowing := forge.GitStdin(t, fmt.Sprintf("100644 blob %s\tfile\n", blob), "mktree")
	borrowed := commit(borrowing)
	// A file that is told as a change of the secret one makes git take that along.
	child := forge.GitStdin(t, noise(7, 5000)+"more\n", "hash-object", "-w", "--stdin")
	built := forge.GitStdin(t, fmt.Sprintf("100644 blob %s\tfile\n100644 blob %s\tsecret\n", blob, child), "mktree")
	builtUpon := commit(built)
	thin := packOf(t, forge, builtUpon+"\n^"+secret+"\n", "--revs", "--thin", "--shallow")
	if bytes.Contains(thin, []byte(noise(7, 5000)[:100])) || len(thin) > 1500 {
		t.Fatalf("the pack of %d bytes has the secret in it", len(thin))
	}
	for _, test := range []struct {
		name, want string
		pack       []byte
	}{
		{"nothing is sent", secret, packOf(t, forge, "")},
		{"the commit alone", secret, packOf(t, forge, secret+"\n")},
		{"a commit of the tree", whole, packOf(t, forge, whole+"\n")},
		{"a tree with the file", borrowed, packOf(t, forge, borrowed+"\n"+borrowing+"\n")},
		{"a file that builds on it", builtUpon, thin},
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, known: %v", test.name, known), func(t *testing.T) {
				t.Parallel()
				s := openStore(t, options(), t.TempDir())
				fetch(t, s, private.URL, nil, secret)
				fetch(t, s, public.URL, nil, harmless)
				var bases []string
				if known { // so that the pool is at hand in the fetch
					bases = []string{harmless}
				}
				srv := gitserver.New(t)
				srv.Fail(-1, packing(test.pack, test.want))
				url := srv.URL + "/r.git"
				_, err := s.Fetch(t.Context(), url, []git.Want{{Commit: test.want, Ref: "main"}}, bases, nil)
				if err == nil || s.Has(url, test.want) {
					t.Errorf("it is had: %v", err)
				}
				if len(srv.Requests()) == 0 {
					t.Error("the server was not asked")
				}
				if got, _ := filepath.Glob(filepath.Join(s.Dir(), "objects", "pack", "*.pack")); len(got) != 2 {
					t.Errorf("it is in the pool: %q", got)
				}
			})
		}
	}
	// The server is one that can be fetched from, if it sends all.
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, public.URL, nil, harmless)
	evil.Fail(-1, packing(packOf(t, forge, builtUpon+"\n", "--revs"), builtUpon))
	for i, bases := range [][]string{nil, {harmless}} {
		url := fmt.Sprintf("%s/%d.git", evil.URL, i)
		fetch(t, s, url, bases, builtUpon)
		if got := commitContents(t, s, builtUpon); len(got) != 2 || !strings.HasSuffix(got["secret"], "more\n") {
			t.Errorf("got %.100v", got)
		}
	}
	// An honest one has no need to send what the bases have.
	if _, err := s.Fetch(t.Context(), public.URL, []git.Want{{Commit: secret}}, []string{harmless}, nil); !errors.Is(err, git.ErrNoCommit) {
		t.Errorf("got %v", err)
	}
}
