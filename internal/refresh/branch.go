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
	plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\+[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*$`)
	unplain   = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// branch names the branch of a group: "./oca/web" has odyssey/merge/oca+web.
// Different groups have different branches, and none is a directory of
// another, which git would not allow.
func branch(kind Kind, group string) string {
	if kind == Sync {
		return BranchPrefix + string(Sync)
	}
	words := strings.Split(group, " ")
	words[0] = path.Clean(words[0])
	joined := strings.Join(words, "+")
	name := strings.ReplaceAll(joined, "/", "+")
	if strings.Count(joined, "+") > len(words)-1 || !plainName.MatchString(name) || strings.HasSuffix(name, ".lock") || len(name) > maxBranch {
		digest := sha256.Sum256([]byte(group))
		slug := strings.Trim(unplain.ReplaceAllString(name, "-"), "-")
		name = slug[:min(len(slug), maxBranch-14)] + "+" + hex.EncodeToString(digest[:6])
	}
	return BranchPrefix + "merge/" + name
}
