package forge

// Status is a word on a commit, on a forge that keeps such: one of a name counts,
// the newest.
type Status struct {
	Name       string // whose word: "odyssey/addons"
	Head       string // full object id of the commit
	Conclusion Conclusion
	Title      string // one line; forges cut it after some hundred characters
}
