package gitea

import (
	"context"
	"fmt"
	"net/http"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// Paths lists the plain files of a commit or branch, sorted as git sorts them:
// a call per thousand entries. One with more than forge.MaxPaths entries is an
// error.
func (f *Forge) Paths(ctx context.Context, repo forge.Repo, ref string) ([]string, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	doing := "list the files of " + ref
	var paths []string
	for page, seen := 1, 0; ; page++ {
		got, resp, err := client.GetTrees(repo.Owner, repo.Name.Name, sdk.ListTreeOptions{
			ListOptions: sdk.ListOptions{Page: page, PageSize: 1000}, Ref: ref, Recursive: true,
		})
		if err := answer(resp, err); err != nil {
			if resp != nil && resp.StatusCode == http.StatusBadRequest { // Gitea's answer to an unknown ref
				err = fmt.Errorf("%w: %w", forge.ErrNotFound, err)
			}
			return nil, f.failed(repo.Name, doing, err)
		}
		if got.SHA == "" {
			return nil, f.failed(repo.Name, doing, fmt.Errorf("%w: the answer is no list of files", forge.ErrTransient))
		}
		for _, e := range got.Entries {
			if e.Mode == "100644" || e.Mode == "100755" {
				paths = append(paths, e.Path)
			}
		}
		if seen += len(got.Entries); seen > forge.MaxPaths || got.TotalCount > forge.MaxPaths {
			return nil, f.failed(repo.Name, doing, fmt.Errorf("it has more than %d files and directories", forge.MaxPaths))
		}
		if !got.Truncated || len(got.Entries) == 0 {
			return paths, nil
		}
	}
}
