package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot"
)

// largestReport is how large a report may be, in bytes, to be shown. The bot
// keeps none that is larger.
const largestReport = 256 << 10

// decoded is a report as it was read from bytes with this digest.
type decoded struct {
	sum    [sha256.Size]byte
	report bot.Report
	ok     bool
}

// decode sorts reports by subject, each subject's by kind, merges first. Only
// what has changed since the last time is decoded.
func (b *board) decode(stored map[string][]byte) map[string][]bot.Report {
	bySubject := make(map[string][]bot.Report, len(stored))
	all := make(map[string]decoded, len(stored))
	for key, data := range stored {
		subject, kind, _ := strings.Cut(key, " ")
		if len(data) > largestReport {
			bySubject[subject] = append(bySubject[subject], bot.Report{Kind: public(kind), Error: "the report on the last run is too large to show"})
			continue
		}
		d, known := b.decoded[key]
		if sum := sha256.Sum256(data); !known || d.sum != sum {
			d = decoded{sum: sum}
			err := json.Unmarshal(data, &d.report)
			if err != nil {
				b.log.Warn("report not understood", "repo", clip(key, 200), "err", err)
			}
			d.report.Kind, d.ok = kind, err == nil
			cleanReport(&d.report)
		}
		all[key] = d
		if d.ok {
			bySubject[subject] = append(bySubject[subject], d.report)
		}
	}
	b.decoded = all
	for _, reports := range bySubject {
		slices.SortFunc(reports, func(x, y bot.Report) int {
			return cmp.Or(order(x.Kind == mergesKind, y.Kind == mergesKind), cmp.Compare(x.Kind, y.Kind))
		})
	}
	return bySubject
}
