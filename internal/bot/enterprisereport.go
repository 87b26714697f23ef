package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/forge"
)

// openReports reads the repository that gets reports. It returns why it cannot
// have them: they name modules of Enterprise.
func (i *importer) openReports(ctx context.Context) (reason string, err error) {
	if i.mirror.Reports == (forge.Name{}) {
		return "", nil
	}
	name := i.mirror.Reports.String()
	i.reports, err = i.keeper.forge.Repo(ctx, i.mirror.Reports)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return "the repository of the reports, " + name + ", does not exist, or my account may not see it: nothing is imported", nil
	case err != nil:
		return "", err
	case !i.reports.Private:
		return "the repository of the reports, " + name + ", is not private: nothing is imported; make it private first", nil
	case i.reports.Archived:
		return "the repository of the reports, " + name + ", is archived", nil
	case i.reports.Empty:
		return "the repository of the reports, " + name + ", has no commit yet; begin it with a README", nil
	}
	return "", nil
}

// report commits the report of a bundle that is imported, or that is not, to the
// repository of the reports.
func (i *importer) report(ctx context.Context, got *intake.Result) error {
	if i.reports.Name == (forge.Name{}) || got.Report == nil || got.Stop == nil && got.Head == i.request.Base {
		return nil
	}
	name, data, err := intake.Document(got.Report)
	if err != nil {
		return err
	}
	file := path.Join(i.mirror.Name.Owner, i.mirror.Name.Name, i.keeper.repo.DefaultBranch, name)
	f := i.keeper.forge
	old, err := f.File(ctx, i.reports, i.reports.DefaultBranch, file)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("the report: %w", err)
	}
	if bytes.Equal(old, data) {
		return nil
	}
	onto, err := f.Branch(ctx, i.reports, i.reports.DefaultBranch)
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	_, err = f.Push(ctx, i.reports, forge.Change{
		Base: onto.Name, BaseHead: onto.Head, Branch: onto.Name, Lease: onto.Head, Files: map[string][]byte{file: data},
		Message: "Report on " + i.mirror.Name.String() + ": " + name + "\n", By: i.keeper.Identity, When: i.keeper.Now(),
	})
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	return nil
}
