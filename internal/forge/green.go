package forge

// Combined is what all that was reported on a commit comes to: statuses and, on
// a forge that has them, checks.
type Combined string

// What it comes to. Green is one on which something was reported, and nothing
// else than success, or that there was nothing to do.
const (
	Unreported Combined = ""        // nobody has reported on it, or the forge does not show it
	Pending    Combined = "pending" // something has not ended
	Green      Combined = "green"
	Red        Combined = "red"
)

// Join is what two parts of the reports on a commit come to together.
func (c Combined) Join(other Combined) Combined {
	for _, worst := range []Combined{Red, Pending, Green} {
		if c == worst || other == worst {
			return worst
		}
	}
	return Unreported
}
