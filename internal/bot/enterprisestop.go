package bot

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

const stopMark = "<!-- odyssey enterprise stopped -->"

var stopPattern = regexp.MustCompile(`(?m)^` + stopMark + `\r?$`)

// tell keeps the issue in the mirror that says why a bundle is not imported: one
// for each bundle, so that a word in it is about that one alone.
func (i *importer) tell(ctx context.Context, got *intake.Result, text *refresh.Import, accepted acceptances) error {
	title, body := text.Stopped()
	body += "\n" + stopMark
	if got.SHA256 != "" {
		body += accepted.only(got.SHA256).mark(got.SHA256)
	}
	body += "\n"
	if i.dismissed(ctx, got) {
		i.outcomes = append(i.outcomes, i.nothing(got, ""))
		return nil
	}
	told := -1
	for n, issue := range i.issues {
		if bundle, _ := readBundle(issue.Body); tellsStop(issue) && bundle == got.SHA256 {
			told = n
			break
		}
	}
	url := ""
	if told >= 0 {
		issue := i.issues[told]
		url = issue.URL
		if normal(issue.Body) != normal(body) || issue.Title != title {
			if _, err := i.keeper.forge.EditIssue(ctx, i.keeper.repo, issue.Number, forge.Edit{Title: title, Body: body}); err != nil {
				return err
			}
		}
		i.issues = slices.Delete(i.issues, told, told+1)
	}
	if err := i.untell(ctx, ""); err != nil {
		return err
	}
	if told < 0 {
		made, err := i.keeper.forge.CreateIssue(ctx, i.keeper.repo, forge.NewIssue{Title: title, Body: body})
		if err != nil && !errors.Is(err, forge.ErrNotFound) && !errors.Is(err, forge.ErrConflict) {
			return err // else issues are switched off
		}
		if url = made.URL; err == nil {
			i.remember(ctx, got.SHA256, got.Stop.Kind)
		}
	}
	i.outcomes = append(i.outcomes, i.nothing(got, url))
	return nil
}

// nothing is what becomes of a bundle that is not imported.
func (i *importer) nothing(got *intake.Result, url string) Outcome {
	return Outcome{
		Repo: i.mirror.Name.String(), Group: string(refresh.Enterprise), Action: Held, URL: url, Title: "nothing is imported", Reason: got.Stop.Reason,
	}
}

// toldBucket is where is kept of which bundles an issue told, and why they are not
// imported: people who close one have read it.
const toldBucket = "told"

func (i *importer) toldKey(bundle string) string {
	return digest([]byte(i.keeper.repo.WebURL + " " + bundle))
}

// dismissed reports whether people closed the issue that told the same, and nobody
// asks.
func (i *importer) dismissed(ctx context.Context, got *intake.Result) bool {
	if i.keeper.Memory == nil || i.demanded || got.SHA256 == "" || slices.ContainsFunc(i.issues, tellsStop) {
		return false
	}
	kind, err := i.keeper.Memory.Get(ctx, toldBucket, i.toldKey(got.SHA256))
	return err == nil && string(kind) == got.Stop.Kind
}

// remember keeps why a bundle is told of; "": it is not any more. When that fails,
// it is told once more.
func (i *importer) remember(ctx context.Context, bundle, kind string) {
	if _, dry := i.keeper.forge.(dryRun); dry || i.keeper.Memory == nil || bundle == "" {
		return
	}
	if err := i.keeper.Memory.Put(ctx, toldBucket, i.toldKey(bundle), []byte(kind)); err != nil {
		i.keeper.Log.Warn("not kept that a bundle was told of", "repo", i.keeper.repo.String(), "err", err)
	}
}

// untell closes the issues of bundles that are not imported, but for that of one to
// keep.
func (i *importer) untell(ctx context.Context, keep string) error {
	for _, issue := range i.issues {
		bundle, _ := readBundle(issue.Body)
		if !tellsStop(issue) || bundle != "" && bundle == keep {
			continue
		}
		if _, err := i.keeper.forge.EditIssue(ctx, i.keeper.repo, issue.Number, forge.Edit{State: forge.Closed}); err != nil {
			return err
		}
		i.remember(ctx, bundle, "")
	}
	return nil
}

// tellsStop reports whether an issue tells of a bundle that is not imported.
func tellsStop(issue forge.Issue) bool {
	return issue.State == forge.Open && stopPattern.MatchString(issue.Body)
}
