package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/cli/gitflags"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// exitDisagree is the exit code of --check when repos.yaml and the lock
// disagree.
const exitDisagree = 3

type lockOptions struct {
	git          gitflags.Flags
	repos, lock  string
	destinations []string
	merges       []string
	all          bool
	check        bool
	json         bool
	expandEnv    bool
	envFile      string
	recordTrees  bool
	cache        string
}

func (a *app) lockRepos() *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock-repos",
		Short: "Write repos.lock.yaml from repos.yaml",
		Long: `Write repos.lock.yaml from repos.yaml: the same, with commits for refs.

Without a refresh flag every commit that is locked stays, what is new in
repos.yaml is locked at its newest commit, and what is gone from it is dropped.
Refs are resolved over the network; nothing is cloned. When anything fails,
nothing is written. --check alone asks no remote.

--record-trees also fetches the locked commits, merges them, and records what
this gives. A build then fetches in one round what it needs, and refuses sources
that give another tree.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input, 3 --check found
that repos.yaml and the lock disagree.`,
		Example: `  lock-repos                                           # lock what is new
  lock-repos --refresh-merge ./odoo acme 17.0-hotfix   # move one merge
  lock-repos --refresh ./odoo                          # move a destination
  lock-repos --refresh-all                             # move everything
  lock-repos --record-trees                            # lock, and record the merged trees
  lock-repos --check                                   # for CI: exit 3 if they disagree`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Usagef("lock-repos takes no arguments; got %q\n  --refresh takes one destination and may be repeated; --refresh-merge takes three words, such as ./odoo acme 17.0-hotfix", args[0])
		},
		Version: cli.Version(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runLock(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.repos, "repos", "repos.yaml", "file that declares the sources")
	flags.StringVar(&o.lock, "lock", "repos.lock.yaml", "file to write")
	flags.StringArrayVar(&o.destinations, "refresh", nil, "move all merges of destination `DEST` (repeatable)")
	flags.StringArrayVar(&o.merges, "refresh-merge", nil, "move one merge, named by three words: `DEST REMOTE REF` (repeatable)")
	flags.BoolVar(&o.all, "refresh-all", false, "move all merges")
	flags.BoolVar(&o.check, "check", false, "write nothing; exit 3 when repos.yaml and the lock disagree")
	flags.BoolVar(&o.json, "json", false, "print the changes as JSON")
	flags.BoolVarP(&o.expandEnv, "expand-env", "e", false, "expand $NAME and ${NAME} in repos.yaml")
	flags.StringVar(&o.envFile, "env-file", "", "file of NAME=VALUE lines for --expand-env; the environment wins over it")
	flags.BoolVar(&o.recordTrees, "record-trees", false, "fetch and merge the sources, and record the trees and merge bases that this gives")
	flags.StringVar(&o.cache, "cache", "", "`DIR` of fetched sources for --record-trees; named, it stands for that flag (default: odyssey/sources in the user's cache directory)")
	o.git.Register(cmd, 16, "remotes asked at once")
	return cmd
}

func (a *app) runLock(ctx context.Context, o *lockOptions) error {
	refresh, err := o.refresh()
	if err != nil {
		return err
	}
	repos, locked, err := a.readLockInput(o)
	if err != nil {
		return err
	}
	next := lock.Keep(locked, repos)
	if offline := o.check && refresh.None(); !offline {
		if next, err = a.update(ctx, o, repos, locked, refresh); err != nil {
			return err
		}
	}
	if o.recordTrees || o.cache != "" {
		if err := a.trees(ctx, o, next); err != nil {
			return &cli.NoteError{Err: err, Note: "the lock was not changed"}
		}
	}
	written, err := o.write(next)
	if err != nil {
		return err
	}
	return a.printLock(o, refresh, locked, next, written)
}

// update computes the next lock, which asks the remotes.
func (a *app) update(ctx context.Context, o *lockOptions, repos, locked *lock.File, refresh lock.Refresh) (*lock.File, error) {
	client, err := o.git.Client(a.environ)
	if err != nil {
		return nil, err
	}
	progress := cli.NewProgress(client, a.stderr, a.log.Quiet)
	next, err := lock.Update(ctx, repos, locked, refresh, progress, o.git.Jobs)
	progress.Finish()
	if err != nil {
		return nil, &cli.NoteError{Err: err, Note: "the lock was not changed"}
	}
	return next, nil
}

// trees records what merging the locked commits gives.
func (a *app) trees(ctx context.Context, o *lockOptions, next *lock.File) error {
	client, err := o.git.Client(a.environ)
	if err != nil {
		return err
	}
	store, err := gitflags.OpenStore(client, o.cache)
	if err != nil {
		return err
	}
	for i := range next.Destinations {
		next.Destinations[i].Line = 0 // that of repos.yaml; what is wrong is in the lock
	}
	progress := cli.NewStatus(a.stderr, a.log.Quiet)
	err = source.Trees(ctx, next, source.Options{Store: store, Jobs: o.git.Jobs, Progress: func(e source.Event) {
		progress.Say("%s %s %s", e.Phase, e.Destination, e.Detail)
	}})
	progress.Finish()
	return errors.Join(err, store.Close()) //nolint:contextcheck // what is opened is closed, whatever ended the work
}

func (o *lockOptions) refresh() (lock.Refresh, error) {
	r := lock.Refresh{All: o.all, Destinations: o.destinations}
	for _, merge := range o.merges {
		words := strings.Fields(merge)
		if len(words) != 3 {
			return r, cli.Usagef("--refresh-merge takes three words, DEST REMOTE REF, such as ./odoo acme 17.0-hotfix; got %q", merge)
		}
		r.Merges = append(r.Merges, lock.MergeName{Dest: words[0], Remote: words[1], Ref: words[2]})
	}
	return r, nil
}

func (a *app) readLockInput(o *lockOptions) (repos, locked *lock.File, err error) {
	data, err := readInput(o.repos)
	if err != nil {
		return nil, nil, err
	}
	if sameFile(o.repos, o.lock) {
		return nil, nil, cli.Usagef("--repos and --lock are the same file, %s; it would be overwritten", o.repos)
	}
	if o.expandEnv {
		if data, err = a.expand(o, data); err != nil {
			return nil, nil, err
		}
	}
	if repos, err = lock.Parse(o.repos, data, o.git.Policy()); err != nil {
		return nil, nil, err
	}
	data, err = yamldoc.ReadFile(o.lock)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	locked, err = lock.ParseLock(o.lock, data, o.git.Policy())
	return repos, locked, err
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// readInput reads a file that must exist.
func readInput(path string) ([]byte, error) {
	data, err := yamldoc.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("%s does not exist\n  run this where repos.yaml is, or name the file with --repos", path)
	}
	return data, err
}

func (a *app) expand(o *lockOptions, data []byte) ([]byte, error) {
	env := map[string]string{}
	if o.envFile != "" {
		file, err := os.ReadFile(o.envFile)
		if err != nil {
			return nil, cli.Usagef("--env-file: %w", err)
		}
		env = lock.ParseEnvFile(file)
	}
	for _, kv := range a.environ {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return lock.ExpandEnv(o.repos, data, env)
}

func (o *lockOptions) write(next *lock.File) (bool, error) {
	if o.check {
		return false, nil
	}
	data, err := lock.Format(next)
	if err != nil {
		return false, err
	}
	return lock.WriteFile(o.lock, data)
}

// lockReport is what --json prints.
type lockReport struct {
	Lock    string        `json:"lock"`
	InSync  bool          `json:"inSync"` // before this run
	Written bool          `json:"written"`
	Merges  int           `json:"merges"`
	Changes []lock.Change `json:"changes"`
	// Trees counts the destinations whose tree was recorded anew; Dropped names those
	// whose recorded tree is none any more, as a commit moved.
	Trees   int      `json:"treesRecorded,omitempty"`
	Dropped []string `json:"treesDropped,omitempty"`
}

func (a *app) printLock(o *lockOptions, refresh lock.Refresh, locked, next *lock.File, written bool) error {
	report := lockReport{
		Lock: o.lock, InSync: lock.InSync(locked, next), Written: written,
		Merges: next.Merges(), Changes: lock.Changes(locked, next),
	}
	if report.Changes == nil {
		report.Changes = []lock.Change{}
	}
	report.countTrees(locked, next)
	if o.json {
		if err := cli.PrintJSON(a.stdout, report); err != nil {
			return err
		}
	} else {
		a.printChanges(report.Changes)
		a.say("%s", report.summary(o.check, refresh))
		if len(report.Dropped) > 0 && !o.check {
			a.say("the recorded tree of %s is gone with what moved; --record-trees records it anew", strings.Join(report.Dropped, ", "))
		}
	}
	if o.check && !report.InSync {
		return &cli.ExitError{Code: exitDisagree}
	}
	return nil
}

// countTrees compares the recorded trees.
func (r *lockReport) countTrees(locked, next *lock.File) {
	for i := range next.Destinations {
		d := &next.Destinations[i]
		before := locked.Find(d.Path)
		switch {
		case d.Tree != "" && (before == nil || before.Tree != d.Tree):
			r.Trees++
		case d.Tree == "" && before != nil && before.Tree != "":
			r.Dropped = append(r.Dropped, d.Path)
		}
	}
}

func (r *lockReport) summary(check bool, refresh lock.Refresh) string {
	moved := 0
	for _, c := range r.Changes {
		if c.Moved() {
			moved++
		}
	}
	switch {
	case check && r.InSync:
		return r.Lock + " agrees with repos.yaml"
	case check && !refresh.None():
		return r.Lock + " is not at the newest commits\n  run the same without --check and commit the lock"
	case check && len(r.Changes) == 0:
		return r.Lock + " disagrees with repos.yaml in remotes, targets or other keys\n  run lock-repos and commit the lock"
	case check:
		return r.Lock + " disagrees with repos.yaml\n  run lock-repos and commit the lock"
	case !r.Written:
		return r.Lock + " is unchanged"
	case len(r.Changes) == 0 && r.Trees > 0:
		return fmt.Sprintf("wrote %s: recorded %d trees, no commit moved", r.Lock, r.Trees)
	case len(r.Changes) == 0:
		return "wrote " + r.Lock + ": no commit changed, but remotes, other keys or the layout"
	}
	return fmt.Sprintf("wrote %s: %d of %d merges moved, %d other changes", r.Lock, moved, r.Merges, len(r.Changes)-moved)
}

func (a *app) printChanges(changes []lock.Change) {
	if len(changes) == 0 {
		return
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "destination\tmerge\tlocked\tnow")
	for _, c := range changes {
		fmt.Fprintf(table, "%s\t%s %s\t%s\t%s\n", c.Dest, c.Remote, c.Ref, shortID(c.Old), shortID(c.New))
	}
	_ = table.Flush()
}

func shortID(id string) string {
	if id == "" {
		return "-" // not locked
	}
	return id[:7]
}

// say prints to stderr unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.log.Quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// joinMergeNames makes the three words after --refresh-merge one, as flags
// take one value.
func joinMergeNames(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		out = append(out, args[i])
		if args[i] == "--" {
			return append(out, args[i+1:]...)
		}
		if args[i] != "--refresh-merge" || i+1 >= len(args) || len(strings.Fields(args[i+1])) == 3 {
			continue
		}
		end := i + 1
		for end < len(args) && end <= i+3 && !strings.HasPrefix(args[end], "-") {
			end++
		}
		out = append(out, strings.Join(args[i+1:end], " "))
		i = end - 1
	}
	return out
}
