// Package clitest tests command lines: scripts that call them, and their
// reference.
package clitest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nuobit/odyssey/test/aggregator"
	"github.com/nuobit/odyssey/test/gitserver"
)

// Scripts runs the *.txtar files of a directory. Each script has a git server of its
// own, $SRV. Beside testscript's commands there are:
//
//	upstream NAME BRANCH...    make the repository $SRV/NAME.git; $NAME_BRANCH is
//	                           the branch's commit, with _ for what is no letter or digit,
//	                           and $NAME_BRANCH_short its first seven digits
//	advance NAME BRANCH        a newer commit
//	fill FILE...               put values in the place of $NAME in files
//	exit N COMMAND...          run a program that must exit with N
//	keep FILE, untouched FILE  the file is still the very same one: bytes, mode, inode, time
//	fault N WHAT               the next N requests (-1: all) get an HTTP status, reset or hang
//	password USER PASSWORD     what the server asks for
//	requests N                 so many requests came in since the last time
//	forget                     those that came in until now do not count
//	gitaggregate ARG...        the real git-aggregator
//
// more are commands of the caller's own; variables are set in each script.
func Scripts(t *testing.T, dir string, variables map[string]string, more map[string]Command) {
	t.Helper()
	commands := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"upstream": upstream, "advance": advance, "fill": fill, "exit": exit, "keep": keep, "untouched": untouched,
		"fault": fault, "password": password, "requests": requests, "forget": forget, "gitaggregate": gitaggregate,
	}
	for name, command := range more {
		commands[name] = command
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for name, value := range variables {
				env.Setenv(name, value)
			}
			return setup(env)
		},
		Cmds: commands,
	})
}

// Command is a command of scripts. neg says that ! stands before it.
type Command = func(ts *testscript.TestScript, neg bool, args []string)

func setup(env *testscript.Env) error {
	srv, err := gitserver.Start(filepath.Join(env.WorkDir, ".srv"))
	if err != nil {
		return err
	}
	env.Defer(srv.Stop)
	env.Values["srv"] = srv
	env.Values["kept"] = keepsakes{}
	env.Setenv("SRV", srv.URL)
	env.Setenv("HOST", srv.Host())
	return nil
}

// Server is the script's git server.
func Server(ts *testscript.TestScript) *gitserver.Server {
	srv, ok := ts.Value("srv").(*gitserver.Server)
	if !ok {
		ts.Fatalf("no server")
	}
	return srv
}

// Need checks a command's words and that it is not negated.
func Need(ts *testscript.TestScript, neg, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func repository(ts *testscript.TestScript, name string) *gitserver.Repo {
	return &gitserver.Repo{URL: Server(ts).URL + "/" + name + ".git", Dir: filepath.Join(Server(ts).Dir, name+".git")}
}

// remember sets $NAME_BRANCH and $NAME_BRANCH_short.
func remember(ts *testscript.TestScript, name, branch, id string) {
	variable := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name+"_"+branch)
	ts.Setenv(variable, id)
	ts.Setenv(variable+"_short", id[:7])
}

func upstream(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) > 1, "upstream NAME BRANCH...")
	repo := Server(ts).Repo(ts, args[0])
	first := repo.Commit(ts, "main", map[string]string{"README": args[0] + "\n"})
	for _, branch := range args[1:] {
		id := repo.Add(ts, gitserver.Commit{Branch: branch, Parents: []string{first}, Files: map[string]string{branch: "1\n"}, Message: branch})[0]
		remember(ts, args[0], branch, id)
	}
}

func advance(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) == 2, "advance NAME BRANCH")
	repo := repository(ts, args[0])
	id := repo.Add(ts, gitserver.Commit{Branch: args[1], Files: map[string]string{args[1] + "-more": ts.Getenv("WORK")}})[0]
	remember(ts, args[0], args[1], id)
}

func fill(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) > 0, "fill FILE...")
	for _, name := range args {
		path := ts.MkAbs(name)
		filled := os.Expand(ts.ReadFile(name), func(name string) string {
			value := ts.Getenv(name)
			if value == "" {
				ts.Fatalf("$%s has no value", name)
			}
			return value
		})
		ts.Check(os.WriteFile(path, []byte(filled), 0o644))
	}
}

func exit(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) > 1, "exit N COMMAND...")
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// kept is a file at some moment.
type kept struct {
	info os.FileInfo
	data []byte
}

// keepsakes are the files that a script keeps, by name.
type keepsakes map[string]kept

func keepsakesOf(ts *testscript.TestScript) keepsakes {
	all, ok := ts.Value("kept").(keepsakes)
	if !ok {
		ts.Fatalf("nothing is kept")
	}
	return all
}

func look(ts *testscript.TestScript, name string) kept {
	info, err := os.Stat(ts.MkAbs(name))
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(name))
	ts.Check(err)
	return kept{info, data}
}

func keep(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) > 0, "keep FILE...")
	for _, name := range args {
		keepsakesOf(ts)[name] = look(ts, name)
	}
}

func untouched(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) > 0, "untouched FILE...")
	for _, name := range args {
		before, now := keepsakesOf(ts)[name], look(ts, name)
		if !bytes.Equal(before.data, now.data) {
			ts.Fatalf("%s has changed:\n%s", name, now.data)
		}
		if !os.SameFile(before.info, now.info) || before.info.Mode() != now.info.Mode() || !before.info.ModTime().Equal(now.info.ModTime()) {
			ts.Fatalf("%s has the same bytes and was written", name)
		}
	}
}

func fault(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) == 2, "fault N WHAT")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	faults := map[string]gitserver.Fault{"reset": gitserver.Reset, "hang": gitserver.Hang, "none": nil}
	what, ok := faults[args[1]]
	if !ok {
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		what = gitserver.Status(status)
	}
	Server(ts).Fail(n, what)
}

func password(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) == 2, "password USER PASSWORD")
	Server(ts).RequirePassword(args[0], args[1])
}

func requests(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) == 1, "requests N")
	all := Server(ts).Requests()
	if strconv.Itoa(len(all)) != args[0] {
		ts.Fatalf("%d requests, want %s: %+v", len(all), args[0], all)
	}
}

func forget(ts *testscript.TestScript, neg bool, args []string) {
	Need(ts, neg, len(args) == 0, "forget")
	Server(ts).Requests()
}

func gitaggregate(ts *testscript.TestScript, neg bool, args []string) {
	program, err := aggregator.Path()
	ts.Check(err)
	for name, value := range map[string]string{
		"HOME": ts.Getenv("WORK"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
		"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.com",
	} {
		ts.Setenv(name, value)
	}
	if err := ts.Exec(program, args...); (err != nil) != neg {
		ts.Fatalf("gitaggregate: %v\n%s", err, ts.ReadFile("stderr"))
	}
}
