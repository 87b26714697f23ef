package bot

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// maxMark is how many bytes of a hidden mark's content are read, and written.
const maxMark = 20_000

var choicePattern = regexp.MustCompile(`(?m)^<!-- odyssey chosen (\[.*\]) -->\r?$`)

// markChoices remembers, out of sight in a pull request's text, what it is
// restricted to. JSON as Go writes it holds no < or >, so nothing in it ends
// the mark.
func markChoices(choices []refresh.Choice) string {
	if len(choices) == 0 {
		return ""
	}
	data, err := json.Marshal(choices)
	if err != nil || len(data) > maxMark {
		return ""
	}
	return "\n<!-- odyssey chosen " + string(data) + " -->"
}

// readChoices reads what markChoices wrote. Who may edit the text may choose;
// but what cannot be a choice is none.
func (r *reconciler) readChoices(body string) []refresh.Choice {
	all := choicePattern.FindAllStringSubmatch(body, -1)
	if len(all) == 0 {
		return nil
	}
	text := all[len(all)-1][1] // the bot writes it last
	var choices []refresh.Choice
	if len(text) > maxMark || json.Unmarshal([]byte(text), &choices) != nil {
		return nil
	}
	var known []refresh.Choice
	for _, c := range choices {
		if c.To != "" && !gitname.IsObjectID(c.To) || c.Dest == "" || c.Remote == "" {
			continue
		}
		if !strings.HasPrefix(c.URL, r.repo.WebURL+"/") {
			c.URL = ""
		}
		known = append(known, c)
	}
	return known
}
