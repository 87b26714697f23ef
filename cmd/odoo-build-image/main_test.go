package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/internal/release"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/clitest"
	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/pytools"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/standin"
	"github.com/nuobit/odyssey/test/treetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"odoo-build-image": main, "odoo-generate-addons-path": main, "odoo-build-python-env": main, "odoo-normalize-requirements": main,
	})
}

// TestScript runs testdata/script/*.txtar. Beside the commands of clitest:
//
//	sources FILE       make the repositories of a deployment with eight
//	                   destinations, and write their lock
//	sametree A B       the same files with the same modes, .git left out
//	absent NAME DIR    nothing of that name is below a directory
//	derived FILE...    make a repository of files, $SRV/derived.git, whose commit is
//	                   $DERIVED
//	published VAR FILE set a variable to the image in $REGISTRY/acme/odoo whose digest is
//	                   in a file
//	record FILE OUT    write a lock with the trees of its merges
//	registry           run a registry, $REGISTRY, with images to build upon: $BASE
//	                   ($BASE_NAME without its digest), and $OLD_BASE and $ARM_BASE,
//	                   which will not do
func TestScript(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"PATH": filepath.Dir(pytools.UV(t)) + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for _, kv := range os.Environ() {
		// Where packages come from is this machine's matter.
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "PIP_") || strings.HasPrefix(name, "SSL_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			variables[name] = value
		}
	}
	clitest.Scripts(t, "testdata/script", variables, map[string]clitest.Command{"derived": derived, "published": published, "record": record, "registry": registry, "sources": sources, "sametree": sameTree, "absent": absent})
}

// derived makes a derived-image repository of files.
func derived(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) > 0, "derived FILE...")
	all := map[string]string{}
	for _, name := range args {
		all[name] = ts.ReadFile(name)
	}
	ts.Setenv("DERIVED", clitest.Server(ts).Repo(ts, "derived").Add(ts, gitserver.Commit{Branch: "main", Files: all})[0])
}

// published sets a variable to the name of an image.
func published(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 2, "published VAR FILE")
	ts.Setenv(args[0], ts.Getenv("REGISTRY")+"/acme/odoo@"+strings.TrimSpace(ts.ReadFile(args[1])))
}

// record writes a lock with the trees of its merges, as lock-repos --record-trees does.
func record(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 2, "record FILE OUT")
	file, err := lock.ParseLock(args[0], []byte(ts.ReadFile(args[0])), gitname.Operator(false))
	ts.Check(err)
	store, err := git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ()}).OpenStore(ts.MkAbs(".record"))
	ts.Check(err)
	ts.Check(source.Trees(context.Background(), file, source.Options{Store: store}))
	ts.Check(store.Close())
	data, err := lock.Format(file)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// registry runs a registry with images to build upon.
func registry(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 0, "registry")
	r := registrytest.Start(nil)
	ts.Defer(r.Stop)
	push := func(name string, b registrytest.Base) string {
		return r.Host + "/base/" + name + ":r1@" + registrytest.Push(ts, r.Host+"/base/"+name+":r1", b)
	}
	minor, err := python.Query(context.Background(), "python3", os.Environ())
	ts.Check(err)
	ts.Setenv("REGISTRY", r.Host)
	ts.Setenv("BASE_NAME", r.Host+"/base/runtime:r1")
	ts.Setenv("BASE", push("runtime", registrytest.Base{Labels: map[string]string{release.AnnotationPython: minor.Minor}}))
	ts.Setenv("OLD_BASE", push("old", registrytest.Base{Env: []string{"PYTHON_VERSION=2.7.18"}}))
	ts.Setenv("ARM_BASE", push("arm", registrytest.Base{Architecture: "arm64"}))
}

// sources makes what Odoo deployments are made of: Odoo, merges of pull
// requests from a fork, a repository that is empty, one that is a single
// module, one with addons some levels down, links and programs.
func sources(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 1, "sources FILE")
	srv := clitest.Server(ts)
	var out strings.Builder
	entry := func(dest string, remotes map[string]*gitserver.Repo, merges ...string) {
		fmt.Fprintf(&out, "%s:\n  remotes:\n", dest)
		for _, name := range slices.Sorted(maps.Keys(remotes)) {
			fmt.Fprintf(&out, "    %s: %s\n", name, remotes[name].URL)
		}
		fmt.Fprintf(&out, "  target: oca 17.0\n  merges:\n")
		for _, m := range merges {
			fmt.Fprintf(&out, "  # locked-from: %s 17.0\n  - %s\n", strings.Fields(m)[0], m)
		}
	}
	one := func(name string) *gitserver.Repo { return srv.Repo(ts, name) }
	oca := func(repo *gitserver.Repo) map[string]*gitserver.Repo { return map[string]*gitserver.Repo{"oca": repo} }
	module := func(names ...string) map[string]string {
		files := map[string]string{}
		for _, name := range names {
			files[name+"/__manifest__.py"] = "{'name': '" + name + "', 'version': '17.0.1.0.0'}\n"
			files[name+"/__init__.py"] = ""
		}
		return files
	}

	odoo := one("odoo")
	entry("./odoo", oca(odoo), "oca "+odoo.Add(ts, standin.Commit("17.0"))[0])

	tools, fork := one("server-tools"), one("fork")
	lines := func(head, middle, tail string) string {
		return "# " + head + strings.Repeat("\n#", 20) + middle + strings.Repeat("\n#", 20) + tail + "\n"
	}
	base := module("base_exception", "auditlog")
	base["base_exception/models.py"] = lines("head", "", "")
	ids := tools.Add(ts, gitserver.Commit{Branch: "17.0", Files: base},
		gitserver.Commit{Branch: "17.0", Files: map[string]string{"base_exception/models.py": lines("new head", "", "")}},
		gitserver.Commit{Branch: "pr", Parents: []string{":1"}, Files: map[string]string{"base_exception/models.py": lines("head", "", "tail")}})
	fork.Git(ts, "fetch", "--quiet", tools.Dir, ids[0]+":refs/heads/17.0")
	fix := fork.Add(ts, gitserver.Commit{Branch: "fix", Parents: []string{ids[0]}, Files: map[string]string{"base_exception/models.py": lines("head", "middle", ""), "auditlog/fix.py": "1\n"}})
	entry("./oca/server-tools", map[string]*gitserver.Repo{"oca": tools, "acme": fork}, "oca "+ids[1], "oca "+ids[2], "acme "+fix[0])

	empty := one("empty")
	entry("./oca/empty", oca(empty), "oca "+empty.Commit(ts, "17.0", nil))
	single := one("single")
	entry("./acme/single", oca(single), "oca "+single.Commit(ts, "17.0", map[string]string{"__manifest__.py": "{'name': 'single'}\n", "__init__.py": ""}))
	nested := one("nested")
	entry("./vendor/nested", oca(nested), "oca "+nested.Commit(ts, "17.0", module("a/b/addons/deep_one", "a/b/addons/deep_two", "other/shallow")))
	links := one("links")
	entry("./oca/links", oca(links), "oca "+links.Add(ts, gitserver.Commit{
		Branch: "17.0",
		Files:  with(module("linked"), "run.sh", "#!/bin/sh\n", "setup/linked/odoo/addons/linked", "../../../../linked", "é ü", "x\n"),
		Modes:  map[string]string{"run.sh": gitserver.Executable, "setup/linked/odoo/addons/linked": gitserver.Symlink},
	})[0])
	forward := one("forward")
	ff := forward.Add(ts, gitserver.Commit{Branch: "17.0", Files: module("fwd_one")}, gitserver.Commit{Branch: "17.0", Files: module("fwd_two")})
	entry("./oca/forward", oca(forward), "oca "+ff[0], "oca "+ff[1])
	plain := one("web")
	entry("./oca/web", oca(plain), "oca "+plain.Commit(ts, "17.0", module("web_responsive", "web_timeline")))

	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

func with(files map[string]string, pairs ...string) map[string]string {
	for i := 0; i+1 < len(pairs); i += 2 {
		files[pairs[i]] = pairs[i+1]
	}
	return files
}

func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 2, "sametree A B")
	a, err := treetest.Describe(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := treetest.Describe(ts.MkAbs(args[1]))
	ts.Check(err)
	if diff := cmp.Diff(a, b); diff != "" {
		ts.Fatalf("%s (-) and %s (+) differ:\n%s", args[0], args[1], diff)
	}
}

func absent(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 2, "absent NAME DIR")
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == args[0] {
			ts.Fatalf("%s is there", name)
		}
		return err
	}))
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want []string }{
		{[]string{"/usr/bin/odoo-build-image", "a", "b"}, []string{"a", "b"}},
		{[]string{"odoo-generate-addons-path", "a", "b", "c"}, []string{"addons-path", "a", "b", "c"}},
		{[]string{"/x/odoo-build-python-env", "a"}, []string{"python-env", "a"}},
		{[]string{"odoo-normalize-requirements", "-r", "a"}, []string{"normalize-requirements", "-r", "a"}},
	} {
		if got := arguments(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q", test.in, got)
		}
	}
}
