package standin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/pytools"
	"github.com/nuobit/odyssey/test/standin"
)

func odooBin(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), pytools.Python(t), append([]string{"-B", filepath.Join(dir, "odoo-bin")}, args...)...)
	cmd.Env = []string{"HOME=" + dir}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := standin.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVersion(t *testing.T) {
	t.Parallel()
	dir := written(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "odoo-bin"), "--version")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "Odoo Server "+standin.Series+"\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// The parser is Odoo's: raw values, and silence where there is nothing to read.
func TestConfig(t *testing.T) {
	t.Parallel()
	dir := written(t)
	const show = "c = odoo.tools.config\nprint(repr((c['admin_passwd'], c['list_db'], c['workers'], c['db_password'])))\n"
	for _, test := range []struct{ name, file, want string }{
		{"values", "[options]\nadmin_passwd = a%b;c#d\nlist_db = False\nworkers = 3\ndb_password = =,\"x\"\n[queue_job]\nchannels = root:2\n", `('a%b;c#d', False, 3, '=,"x"')`},
		{"no options", "[other]\nadmin_passwd = x\n", "('admin', True, 0, False)"},
	} {
		file := filepath.Join(dir, "odoo.conf")
		if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := odooBin(t, dir, show, "shell", "-c", file); err != nil || got != test.want {
			t.Errorf("%s: %v, %s; want %s", test.name, err, got, test.want)
		}
	}
	if got, err := odooBin(t, dir, show, "shell", "-c", filepath.Join(dir, "absent.conf")); err == nil || !strings.Contains(got, "not readable") {
		t.Errorf("a file that is not there: %v, %s", err, got)
	}
}

func TestModules(t *testing.T) {
	t.Parallel()
	dir := written(t)
	const show = "print(odoo.modules.with_depends(['sale', 'stock']))"
	got, err := odooBin(t, dir, show, "shell", "--addons-path", filepath.Join(dir, "addons"))
	if want := "['base', 'web', 'account', 'sale', 'stock']"; err != nil || got != want {
		t.Errorf("%v: %s, want %s", err, got, want)
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	repo := gitserver.New(t).Repo(t, "odoo")
	id := repo.Add(t, standin.Commit(standin.Series))[0]
	got := map[string]string{}
	for line := range strings.Lines(repo.Git(t, "ls-tree", "-r", "--format=%(objectmode) %(path)", id)) {
		mode, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		if mode != "100644" {
			got[path] = mode
		}
		if strings.Contains(path, "__pycache__") {
			t.Errorf("%s is in the commit", path)
		}
	}
	if diff := cmp.Diff(map[string]string{"odoo-bin": "100755", "setup/odoo": "100755"}, got); diff != "" {
		t.Error(diff)
	}
}
