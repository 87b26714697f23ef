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

// deployments begins the names of the branches that are about deployments.
const deployments = BranchPrefix + "deploy/"

// Branches of kinds of refresh, or the beginning of their names.
const (
	SyncBranch       = BranchPrefix + string(Sync)
	merges           = BranchPrefix + "merge/"
	retirements      = BranchPrefix + "retire/"
	enterpriseMirror = BranchPrefix + string(Enterprise)
)

// IsBranch reports whether a branch may be one of a refresh.
func IsBranch(name string) bool { return strings.HasPrefix(name, BranchPrefix) && !IsDeployment(name) }

// IsMerges reports whether a branch may be one of a Plan's proposals.
func IsMerges(name string) bool {
	return name == SyncBranch || strings.HasPrefix(name, merges)
}

// KindOf returns the kind of refresh that a branch belongs to, "" when none.
func KindOf(name string) Kind {
	switch {
	case IsMerges(name), strings.HasPrefix(name, retirements):
		return Merges
	case name == BranchPrefix+string(Base):
		return Base
	case name == BranchPrefix+string(Python), IsResult(name):
		return Python
	case name == enterpriseMirror, strings.HasPrefix(name, enterpriseMirror+"/"):
		return Enterprise
	}
	return ""
}

// IsDeployment reports whether a branch may be about a deployment.
func IsDeployment(name string) bool { return strings.HasPrefix(name, deployments) }

// DeploymentBranch names the branch of an instance of an image's deployments:
// "ghcr.io/acme/odoo production" has odyssey/deploy/ghcr.io+acme+odoo++production.
func DeploymentBranch(image, instance string) string {
	return deployments + branchName(strings.TrimSpace(image+" "+instance))
}

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
		return SyncBranch
	}
	return merges + branchName(path.Clean(group))
}

// branchName makes the last part of a branch's name of a group's.
func branchName(group string) string {
	name := plus.Replace(group)
	if !plainName.MatchString(group) || strings.HasSuffix(name, ".lock") || len(name) > maxBranch {
		digest := sha256.Sum256([]byte(group))
		slug := strings.Trim(unplain.ReplaceAllString(name, "-"), "-")
		name = slug[:min(len(slug), maxBranch-15)] + "+-" + hex.EncodeToString(digest[:6])
	}
	return name
}
