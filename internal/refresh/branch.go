package refresh

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strings"
)

// BranchPrefix begins the name of every branch that the bot makes.
const BranchPrefix = "odyssey/"

// maxBranch is where a group's name is cut, in bytes: file systems allow 255
// in one part of a ref.
const maxBranch = 150

var (
	// plainName matches a group whose name a branch can have: words without a
	// plus, with a slash or a space between.
	plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*([/ ][A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*)*$`)
	unplain   = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	plus      = strings.NewReplacer("/", "+", " ", "++")
)

// branch names the branch of a group: "./oca/web" has odyssey/merge/oca+web,
// "./oca/web oca 17.0" has odyssey/merge/oca+web++oca++17.0. Different groups
// have different branches, and none is a directory of another, which git would
// not allow.
func branch(kind Kind, group string) string {
	if kind == Sync {
		return BranchPrefix + string(Sync)
	}
	group = path.Clean(group)
	name := plus.Replace(group)
	if !plainName.MatchString(group) || strings.HasSuffix(name, ".lock") || len(name) > maxBranch {
		digest := sha256.Sum256([]byte(group))
		slug := strings.Trim(unplain.ReplaceAllString(name, "-"), "-")
		name = slug[:min(len(slug), maxBranch-15)] + "+-" + hex.EncodeToString(digest[:6])
	}
	return BranchPrefix + "merge/" + name
}
