package forge

// AutomergeError says why a forge does not merge a pull request by itself, and
// what somebody can do about it.
type AutomergeError struct{ Reason string }

func (e *AutomergeError) Error() string { return e.Reason }
