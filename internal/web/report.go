package web

import (
	"time"

	"github.com/nuobit/odyssey/internal/bot"
)

type runReport struct {
	Subject, Forge, Repo, WebURL, Kind, Trigger string
	Started, Finished                           time.Time
	Outcomes                                    []bot.Outcome
	Idle, Error                                 string
	Destinations                                []destinationReport
}

type destinationReport struct {
	Path   string
	Merges []mergeReport
	Held   string
}

type mergeReport struct {
	Remote, Ref, Locked, Newest string
	Behind                      int
	Since                       time.Time
}
