package forge

import "time"

// Quota is how many calls a forge still takes.
type Quota struct {
	Account  string // whose calls are counted: the owner of an installation in lower case, "app" or "token"
	Resource string // what is called: "core", "search" or "graphql"
	Limit    int    // calls in the present hour or minute
	Left     int    // of them, as the last answer said
	Reset    time.Time
}
