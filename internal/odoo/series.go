package odoo

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// versionInfo matches the beginning of version_info = (17, 0, 0, FINAL, …), or of
// one whose first part is a 'saas~17'.
var versionInfo = regexp.MustCompile(`(?m)^version_info[ \t]*=[ \t]*\(\s*(?:([0-9]{1,4})|'(saas~[0-9]{1,4})'|"(saas~[0-9]{1,4})")\s*,\s*([0-9]{1,4})\s*,`)

// Series returns the series of the Odoo checkout in a directory, such as 17.0
// or saas~17.4, by its odoo/release.py (openerp/release.py before 10.0), which
// is read and not executed. Errors about the file are *yamldoc.Error; it
// satisfies errors.Is(fs.ErrNotExist) when the directory holds no Odoo.
func Series(checkout string) (string, error) {
	name := filepath.Join("odoo", "release.py")
	data, err := readFile(checkout, name)
	if errors.Is(err, fs.ErrNotExist) {
		old := filepath.Join("openerp", "release.py")
		if data, oldErr := readFile(checkout, old); !errors.Is(oldErr, fs.ErrNotExist) {
			return series(filepath.Join(checkout, old), data, oldErr)
		}
	}
	return series(filepath.Join(checkout, name), data, err)
}

func series(path string, data []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return ParseSeries(path, data)
}

// ParseSeries returns the series that an odoo/release.py says. path names the
// file in errors, which are *yamldoc.Error.
func ParseSeries(path string, data []byte) (string, error) {
	all := versionInfo.FindAllStringSubmatch(string(data), -1)
	if len(all) == 0 {
		return "", &yamldoc.Error{
			Path: path, Msg: "says no version of Odoo",
			Hint: "it should have a line such as version_info = (17, 0, 0, FINAL, 0, '')",
		}
	}
	last := all[len(all)-1] // as Python, which runs from the top
	return strings.Join(last[1:4], "") + "." + last[4], nil
}
