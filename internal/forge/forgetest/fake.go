package forgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Logins on a Fake.
const (
	FakeBot      = "bot"      // whom the driver acts as; it may write to every repository
	FakeHuman    = "human"    // who owns the repositories
	FakeStranger = "stranger" // who may only read them
)

// Call is one call of a Fake's driver methods.
type Call struct {
	Method string // "Push"
	Repo   forge.Name
	Write  bool   // of a method that changes something
	Branch string // of Branch, Push, DeleteBranch, LastPullRequest, CreatePullRequest (head)
	Number int64  // of the pull request or issue
	ID     int64  // of the comment
	Text   string // commit message, title, comment, reaction, login
	Err    error  // what the call returned
}

// Fake is a forge made of data. It passes Exercise, records every call, and
// fails when told to. Its methods may be called at the same time.
type Fake struct {
	mu     sync.Mutex
	repos  map[forge.Name]*repository
	moved  map[forge.Name]forge.Name // present names by former ones
	robots map[string]bool           // logins that the forge says are no humans
	now    func() time.Time
	calls  []Call
	before func(method string) error
	after  func(method string) error
}

// NewFake returns a forge without repositories.
func NewFake() *Fake {
	return &Fake{repos: map[forge.Name]*repository{}, moved: map[forge.Name]forge.Name{}, robots: map[string]bool{}, now: time.Now}
}

// SetClock sets the forge's clock, time.Now by default. Like Gitea, the fake
// keeps times in whole seconds.
func (f *Fake) SetClock(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

// SetRobot makes the forge say that an account is no human.
func (f *Fake) SetRobot(login string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.robots[login] = true
}

// SetPrivate hides a repository from who was not let in, or shows it to all.
func (f *Fake) SetPrivate(name forge.Name, private bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repos[name].private = private
}

// As returns somebody at work on a repository that AddRepo made.
func (f *Fake) As(login string, name forge.Name) Human { return fakeHuman{f, name, login} }

// FailBefore sets a function that is asked before each driver method; its
// error is returned instead of calling the method. It may use the fake, for
// instance to push as a human at the worst moment.
func (f *Fake) FailBefore(hook func(method string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = hook
}

// FailAfter sets a function that is asked after each driver method that
// succeeded; its error hides the success, like a lost answer.
func (f *Fake) FailAfter(hook func(method string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = hook
}

// Calls returns all calls so far, failed ones too.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Writes returns the calls so far that changed something, in order, those
// whose answer was lost too.
func (f *Fake) Writes() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var writes []Call
	for _, r := range f.calls {
		if r.Write && (r.Err == nil || isLost(r.Err)) {
			writes = append(writes, r)
		}
	}
	return writes
}

// lostError is a failure that came after the effect.
type lostError struct{ error }

func (l lostError) Unwrap() error { return l.error }

func isLost(err error) bool {
	var lost lostError
	return errors.As(err, &lost)
}

// AddRepo makes a repository of FakeHuman's with the default branch main,
// whose one commit holds README.md, and returns the human to work on it with.
func (f *Fake) AddRepo(name forge.Name) Human {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.newRepository(name)
	r.branches["main"] = r.add(commit{
		Message: "Initial commit\n", By: forge.Identity{Name: FakeHuman, Email: FakeHuman + "@example.org"},
		Files: map[string]File{"README.md": {Mode: plain, Content: "# " + name.Name + "\n"}},
	})
	f.repos[name] = r
	return fakeHuman{f, name, FakeHuman}
}

// Fixture makes a repository for a test.
func (f *Fake) Fixture(testing.TB) Fixture {
	f.mu.Lock()
	name := forge.Name{Owner: FakeHuman, Name: fmt.Sprintf("repo-%d", len(f.repos)+1)}
	f.mu.Unlock()
	return Fixture{Forge: f, Login: FakeBot, Repo: name, Human: f.AddRepo(name)}
}

// do runs a driver method on a repository, with what surrounds each.
func (f *Fake) do(ctx context.Context, call Call, method func(*repository) error) error {
	return f.surround(ctx, call, func() error { return f.run(call.Repo, method) })
}

// surround asks the hooks before and after a driver method, and records it.
func (f *Fake) surround(ctx context.Context, call Call, method func() error) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	err := ctx.Err()
	if err == nil && before != nil {
		err = before(call.Method)
	}
	if err == nil {
		err = method()
		if err == nil && after != nil {
			if failure := after(call.Method); failure != nil {
				err = lostError{failure}
			}
		}
	}
	if err != nil && !isLost(err) {
		err = fmt.Errorf("fake %s: %s: %w", call.Repo, call.Method, err)
	}
	call.Err = err
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	return err
}

var errNoQuery = errors.New("a query for repositories without owner and topic")

func (f *Fake) run(name forge.Name, method func(*repository) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.repos[name]
	if to, known := f.moved[name]; !ok && known {
		return &forge.MovedError{To: to.String()}
	}
	if !ok {
		return forge.ErrNotFound
	}
	return method(r)
}
