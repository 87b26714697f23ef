package buildahtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// login makes a directory with an auth.json for the registry of an image.
func (s *Store) login(name, user, password string) (dir string, err error) {
	host, _, _ := strings.Cut(name, "/")
	auths := map[string]any{}
	if user != "" {
		auths[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	}
	text, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "buildahtest-"); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "auth.json"), text, 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}
