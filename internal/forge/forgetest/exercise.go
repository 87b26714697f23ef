package forgetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
)

// Exercise checks a driver. newForge is called once for each part, at the
// same time for several.
func Exercise(t *testing.T, newForge func(t *testing.T) Fixture) {
	t.Helper()
	for name, part := range map[string]func(*testing.T, bench){
		"Repo":                   exerciseRepo,
		"EmptyRepo":              exerciseEmptyRepo,
		"Snapshot":               exerciseSnapshot,
		"SnapshotRefusesKinds":   exerciseSnapshotKinds,
		"Tree":                   exerciseTree,
		"File":                   exerciseFile,
		"FileSizes":              exerciseSizes,
		"Branch":                 exerciseBranch,
		"Push":                   exercisePush,
		"PushKeepsModes":         exerciseModes,
		"PushIsDeterministic":    exerciseDeterminism,
		"PushLeases":             exerciseLeases,
		"PushRace":               exerciseRace,
		"PushRefusesPaths":       exercisePaths,
		"DeleteBranch":           exerciseDelete,
		"CreatePullRequest":      exerciseCreate,
		"Labels":                 exerciseLabels,
		"LongUnicodeBodies":      exerciseBodies,
		"EditPullRequest":        exerciseEdit,
		"ReopenPullRequest":      exerciseReopen,
		"LastPullRequest":        exerciseLast,
		"Forks":                  exerciseForks,
		"Comments":               exerciseComments,
		"RequestReviews":         exerciseReviews,
		"CancelledContext":       exerciseCancelled,
		"ManyPullRequests":       exerciseMany,
		"NothingThere":           exerciseNothing,
		"PullRequestFollowsHead": exerciseFollow,
		"PullRequest":            exercisePullRequest,
		"HeadSince":              exerciseHeadSince,
		"RenamedRepo":            exerciseRenamed,
		"RepoChanges":            exerciseChanged,
		"EditedComments":         exerciseEdited,
		"CommentsSince":          exerciseSince,
		"Reactions":              exerciseReactions,
		"Permission":             exercisePermission,
		"Issues":                 exerciseIssues,
		"ManyIssues":             exerciseManyIssues,
		"Repositories":           exerciseRepositories,
		"NothingToTalkAbout":     exerciseSilence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, open(t, newForge(t)))
		})
	}
}

// bench is a fixture with its repository already read.
type bench struct {
	Fixture
	repo forge.Repo
}

func open(t *testing.T, f Fixture) bench {
	t.Helper()
	repo, err := f.Forge.Repo(t.Context(), f.Repo)
	if err != nil {
		t.Fatal(err)
	}
	return bench{f, repo}
}

// head returns where a branch is, "" when there is none.
func (b bench) head(t *testing.T, branch string) string {
	t.Helper()
	got, err := b.Forge.Branch(t.Context(), b.repo, branch)
	if errors.Is(err, forge.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return got.Head
}

// change is one that creates a branch with one file.
func (b bench) change(t *testing.T, branch, content string) forge.Change {
	t.Helper()
	return forge.Change{
		Base: "main", BaseHead: b.head(t, "main"), Branch: branch,
		Files:   map[string][]byte{"made.txt": []byte(content)},
		Message: "Make " + branch + "\n",
		By:      forge.Identity{Name: "Odyssey", Email: "odyssey@example.org"},
		When:    time.Date(2025, 3, 30, 2, 30, 0, 0, time.FixedZone("CET", 3600)),
	}
}

func (b bench) push(t *testing.T, c forge.Change) string {
	t.Helper()
	sha, err := b.Forge.Push(t.Context(), b.repo, c)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// open pushes a branch and opens a pull request from it.
func (b bench) open(t *testing.T, branch string) forge.PullRequest {
	t.Helper()
	b.push(t, b.change(t, branch, branch))
	return b.create(t, forge.NewPullRequest{Head: branch, Base: "main", Title: "From " + branch})
}

func (b bench) create(t *testing.T, pr forge.NewPullRequest) forge.PullRequest {
	t.Helper()
	got, err := b.Forge.CreatePullRequest(t.Context(), b.repo, pr)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b bench) edit(t *testing.T, number int64, edit forge.Edit) forge.PullRequest {
	t.Helper()
	got, err := b.Forge.EditPullRequest(t.Context(), b.repo, number, edit)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// file returns a file's content on a branch.
func (b bench) file(t *testing.T, ref, path string) string {
	t.Helper()
	content, err := b.Forge.File(t.Context(), b.repo, ref, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v, want one that is %q", what, err, target)
	}
}

// wantFileError checks that a path is refused with a reason that the user
// understands.
func wantFileError(t *testing.T, err error, path, reason string) {
	t.Helper()
	var file *forge.FileError
	if !errors.As(err, &file) {
		t.Errorf("%s: error %v, want a *forge.FileError", path, err)
		return
	}
	if file.Path != path || !strings.Contains(file.Reason, reason) {
		t.Errorf("%s: %q, want %q", path, file, reason)
	}
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
