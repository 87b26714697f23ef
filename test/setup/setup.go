// Package setup runs test/setup.sh for the packages that find what it installs.
package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Part has test/setup.sh install a part as far as it is missing, and returns
// the directory of that name in its cache. The error of a failed installation
// has the script's words.
func Part(part, name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(filepath.Join(root, "test", "setup.sh"), part).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run test/setup.sh %s by hand: %w\n%s", part, err, out)
	}
	return filepath.Join(cache, "odyssey", "test", name), nil
}

// Root is the directory of go.mod above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}
