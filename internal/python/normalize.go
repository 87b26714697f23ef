package python

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// maxRecord bounds a RECORD file, in bytes.
const maxRecord = 64 << 20

// installerFile reports whether a file of a .dist-info directory says by whom
// or how a package was installed, and not what it is.
func installerFile(name string) bool {
	return slices.Contains([]string{"INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}, name)
}

// normalizeVenv takes out of an environment what differs from one run to the
// next: names of tools, compiled files, the order of records, the umask.
func normalizeVenv(venv string) error {
	root, err := os.OpenRoot(venv)
	if err != nil {
		return err
	}
	defer root.Close()
	var records []string
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "RECORD" && inDistInfo(name) {
			records = append(records, filepath.Join(venv, name))
		}
		if err != nil {
			return err
		}
		return normalizeFile(root, name, d)
	})
	for _, record := range records {
		if err == nil {
			err = normalizeRecord(record)
		}
	}
	if err == nil {
		err = normalizeConfig(filepath.Join(venv, "pyvenv.cfg"))
	}
	if err != nil {
		return fmt.Errorf("normalize the environment: %w", err)
	}
	return nil
}

func normalizeFile(root *os.Root, name string, d fs.DirEntry) error {
	switch {
	case d.IsDir() && d.Name() == "__pycache__":
		if err := root.RemoveAll(name); err != nil {
			return err
		}
		return fs.SkipDir
	case d.IsDir():
		return root.Chmod(name, 0o755)
	case d.Type()&fs.ModeSymlink != 0:
		return nil
	case !d.Type().IsRegular():
		return fmt.Errorf("%s is no file, directory or symbolic link", name)
	case inDistInfo(name) && installerFile(d.Name()), name == ".lock", name == ".gitignore", name == "CACHEDIR.TAG":
		return root.Remove(name)
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return root.Chmod(name, mode)
}

func inDistInfo(name string) bool { return strings.HasSuffix(path.Dir(name), ".dist-info") }

// normalizeRecord sorts a package's list of files (PEP 376) and takes out of it
// what normalizeVenv removed.
func normalizeRecord(file string) error {
	data, err := readBounded(file, maxRecord)
	if err != nil {
		return err
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool {
		dir, name := filepath.Split(row[0])
		return row[0] == "" || strings.HasSuffix(dir, ".dist-info/") && installerFile(name) || strings.Contains("/"+dir, "/__pycache__/")
	})
	slices.SortFunc(rows, slices.Compare)
	var b bytes.Buffer
	writer := csv.NewWriter(&b)
	if err := writer.WriteAll(slices.CompactFunc(rows, slices.Equal)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return renameio.WriteFile(file, b.Bytes(), 0o644)
}

// normalizeConfig keeps of pyvenv.cfg what Python reads.
func normalizeConfig(file string) error {
	data, err := readBounded(file, 64<<10)
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		key, _, _ := strings.Cut(line, "=")
		if slices.Contains([]string{"home", "include-system-site-packages", "version"}, strings.TrimSpace(key)) {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return renameio.WriteFile(file, []byte(b.String()), 0o644)
}

func readBounded(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d KiB", file, most>>10)
	}
	return data, err
}
