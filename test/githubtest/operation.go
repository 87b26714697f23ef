package githubtest

import "maps"

// operation is one of the API's that the fake serves.
type operation struct {
	needs string // "contents:write"; "jwt": an App by its own word
	serve func(*call) (status int, body any, err error)
}

// operations are those that the fake serves, as GitHub's description calls
// them.
func operations() map[string]operation {
	all := map[string]operation{}
	for _, some := range []map[string]operation{
		people(), appOperations(), gitOperations(), pullOperations(), issueOperations(), talkOperations(), checkOperations(),
		activityOperations(), workflowOperations(), statusOperations(), reviewOperations(),
	} {
		maps.Copy(all, some)
	}
	return all
}
