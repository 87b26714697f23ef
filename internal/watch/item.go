package watch

import "time"

type commentItem struct {
	Comment int64
	Number  int64
	Author  string
	Body    string
	Head    string
	Created time.Time
}
