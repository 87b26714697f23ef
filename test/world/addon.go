package world

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/test/giteatest"
)

// about matches the subjects of commits as Odoo's and OCA's are: "[FIX] stock: …".
var about = regexp.MustCompile(`^\[([A-Z]+)\] ([a-z_]+): (.*)`)

// files are what the nth commit of a push to an upstream repository changes.
func (s Subject) files(repository, branch string, n int) map[string]giteatest.File {
	m := about.FindStringSubmatch(s.Text)
	if m == nil {
		return map[string]giteatest.File{fmt.Sprintf("module/%s/file%d.py", branch, n): {Content: s.Text + "\n"}}
	}
	addon, files := m[2], map[string]giteatest.File{}
	dir := addon
	switch {
	case repository == "odoo" && addon == "base":
		dir = "odoo/addons/base"
	case repository == "odoo":
		dir = path.Join("addons", addon)
	}
	manifest := func(version string) {
		files[dir+"/__manifest__.py"] = giteatest.File{Content: fmt.Sprintf("{'name': '%s', 'version': '%s', 'license': 'LGPL-3', 'depends': [%s]}\n", addon, version, depends(addon))}
	}
	switch {
	case m[1] == "ADD":
		manifest("1.0")
		if addon == "base" {
			files["odoo/release.py"] = giteatest.File{Content: "version_info = (17, 0, 0, 'final', 0, '')\n"}
		}
	case strings.HasPrefix(m[3], "migration"):
		manifest("1.1")
		files[dir+"/migrations/17.0.1.1/post-migrate.py"] = giteatest.File{Content: "def migrate(cr, version):\n    pass\n"}
	default:
		files[fmt.Sprintf("%s/views/%s/view%d.xml", dir, branch, n)] = giteatest.File{Content: "<!-- " + m[3] + " -->\n"}
	}
	return files
}

func depends(addon string) string {
	switch addon {
	case "base":
		return ""
	case "stock_barcode":
		return "'stock'"
	}
	return "'base'"
}
