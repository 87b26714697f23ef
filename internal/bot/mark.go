package bot

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// mark is what the bot remembers in a pull request's text, out of sight.
type mark struct {
	target string // digest of what the pull request leads to
	parent string // commit that its branch stands on
	lock   string // digest of the lock on the default branch when last looked at
	wanted string // digest of what was wanted, when that is more; "" otherwise
}

var markPattern = regexp.MustCompile(`<!-- odyssey target=([0-9a-f]{64}) parent=([0-9a-f]{40,64}) lock=([0-9a-f]{64})(?: wanted=([0-9a-f]{64}))? -->`)

func (m mark) String() string {
	text := "<!-- odyssey target=" + m.target + " parent=" + m.parent + " lock=" + m.lock
	if m.wanted != "" && m.wanted != m.target {
		text += " wanted=" + m.wanted
	}
	return text + " -->"
}

// wants is the digest of what was wanted when the mark was made.
func (m mark) wants() string { return cmp.Or(m.wanted, m.target) }

// readMark returns the zero mark when body has none.
func readMark(body string) mark {
	parts := markPattern.FindStringSubmatch(body)
	if parts == nil {
		return mark{}
	}
	return mark{target: parts[1], parent: parts[2], lock: parts[3], wanted: parts[4]}
}

// marked returns body with its mark replaced by m.
func marked(body string, m mark) string {
	if markPattern.MatchString(body) {
		return markPattern.ReplaceAllLiteralString(body, m.String())
	}
	return body + "\n" + m.String() + "\n"
}

// unmarked returns body with its mark made void: what the bot closes itself is
// not held against a later proposal of the same. It is never empty, which
// would be no edit.
func unmarked(body string) string {
	return markPattern.ReplaceAllLiteralString(body, "<!-- odyssey -->")
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// own reports whether the branch ends in a commit that the bot made and
// nobody has touched: an amended, rebased or further commit has another
// committer or no trailer. Where the forge knows who made it, what the commit
// says of that counts for nothing.
func (b *Bot) own(branch forge.Branch) bool {
	own := branch.Committer == b.Identity
	if branch.Vouched {
		own = branch.Own
	}
	return own && strings.Contains(branch.Message, "\n"+refresh.Trailer) || !branch.Vouched && imported(branch)
}

// noteStart and noteEnd enclose what the bot says at the top of a pull
// request that it does not update any more.
const (
	noteStart = "<!-- odyssey note -->\n"
	noteEnd   = "<!-- /odyssey note -->\n\n"
)

// noted returns body with note in the place of an earlier one. Who edits a
// body in a browser leaves it with CRLF line ends.
func noted(body, note string) string {
	body = strings.ReplaceAll(body, "\r\n", "\n")
	if _, after, found := strings.Cut(body, noteEnd); found && strings.HasPrefix(body, noteStart) {
		body = after
	}
	return noteStart + note + "\n\n" + noteEnd + body
}
