package enterprise

import (
	"context"
	"strings"
)

// What a drift is found to be.
const (
	LagConfirmed     = "source_bundle_lag_confirmed" // the copy is that before a newer commit of Community
	UnexplainedDrift = "unexplained_drift"           // no commit that was looked at had it
	LimitedContext   = "limited_context"             // there is no history, or not enough
)

// maxHistory is how many commits of a module are looked at.
const maxHistory = 200

// Drift is a Community module whose copy in the bundle is another one.
type Drift struct {
	Module          string   `json:"module"`
	Diagnosis       string   `json:"diagnosis"`
	BundlePath      string   `json:"bundle_path"`
	CommunityPath   string   `json:"community_path"`
	BundleDigest    string   `json:"bundle_digest"`
	CommunityDigest string   `json:"community_digest"`
	Files           []string `json:"files"` // from the module's directory; the first maxFiles
	FileCount       int      `json:"file_count"`
	// Commit is the newest one of Community whose parent has the bundle's copy.
	Commit string `json:"community_commit,omitempty"`
}

// maxFiles is how many names of files a report has of one module.
const maxFiles = 100

// drift compares the bundle's copy of a module with Community's, and looks in
// Community's history for where it is from. It returns nil when they are equal.
func (c *Community) drift(ctx context.Context, copied, own *Module) (*Drift, error) {
	if own.equal(copied) {
		return nil, nil //nolint:nilnil // no drift, no fault
	}
	files := own.differing(copied)
	d := &Drift{
		Module: own.Name, Diagnosis: LimitedContext, BundlePath: copied.Dir, CommunityPath: own.Dir,
		BundleDigest: copied.Digest(), CommunityDigest: own.Digest(), FileCount: len(files),
	}
	for _, f := range files[:min(len(files), maxFiles)] {
		d.Files = append(d.Files, strings.ToValidUTF8(f, "\uFFFD"))
	}
	if c.repo == nil {
		return d, nil
	}
	log, err := c.repo.Line(ctx, "log", "--full-history", "--max-count="+itoa(maxHistory), "--format=%H %P", c.Head, "--", own.Dir)
	if err != nil {
		return d, nil // a partial clone lacks trees: this is the limited context
	}
	known := map[string]bool{}
	for line := range strings.Lines(log) {
		ids := strings.Fields(line)
		for _, parent := range ids[min(1, len(ids)):] {
			if known[parent] {
				continue
			}
			known[parent] = true
			x, err := gitIndex(ctx, c.repo, parent, "", []string{own.Dir})
			if err != nil {
				return d, nil // a partial clone lacks that tree: this is the limited context
			}
			past, err := x.modules([]string{own.Dir[:len(own.Dir)-len(own.Name)]})
			if err != nil {
				return nil, err
			}
			if m := past[own.Name]; m != nil && m.equal(copied) {
				d.Diagnosis, d.Commit = LagConfirmed, ids[0]
				return d, nil
			}
		}
	}
	if !c.Shallow {
		d.Diagnosis = UnexplainedDrift
	}
	return d, nil
}
