package forge

// Conclusion is how a check ended.
type Conclusion string

// The conclusions.
const (
	Succeeded Conclusion = "success" // what had to be done was done
	Neutral   Conclusion = "neutral" // nothing had to be done
	Failed    Conclusion = "failure" // somebody has to mend something first
)

// Check is what is shown of a run beside a commit, on a forge that has checks.
type Check struct {
	Name       string // of the check; one of a name is kept for each commit
	Head       string // full object id of the commit
	Conclusion Conclusion
	Title      string // one line
	Summary    string // Markdown
}
