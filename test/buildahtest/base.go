package buildahtest

import (
	"context"
	"crypto/sha256"
	_ "embed" // the Dockerfiles
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/nuobit/odyssey/test/setup"
)

//go:embed base.Dockerfile
var baseFile string

//go:embed golang.Dockerfile
var goFile string

const repository = "localhost/odyssey-test/"

// Base returns the name of an image that has what docker.io/library/python has
// in its slim images for trixie, with the Python of Debian 13, and with what
// this machine needs to reach the package registries: certificates, pip's and
// APT's settings. It is made once for each content of these.
func (s *Store) Base(ctx context.Context) (string, error) {
	dir, err := setup.Part("trixie", "trixie")
	if err != nil {
		return "", err
	}
	site, err := site(ctx)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	for _, part := range []string{baseFile, mustRead(filepath.Join(dir, "installed")), fmt.Sprint(site)} {
		fmt.Fprintf(key, "%d %s", len(part), part)
	}
	info, err := os.Stat(filepath.Join(dir, "rootfs.tar"))
	if err != nil {
		return "", err
	}
	fmt.Fprint(key, info.ModTime().UnixNano())
	image := repository + "base:" + hex.EncodeToString(key.Sum(nil))[:16]
	return image, s.once(ctx, image, func() error { return s.makeBase(ctx, image, dir, site) })
}

func mustRead(path string) string {
	data, _ := os.ReadFile(path) // what is missing has no content
	return string(data)
}

// once makes an image that is not there, and keeps it. Others wait meanwhile.
func (s *Store) once(ctx context.Context, image string, do func() error) error {
	if err := s.Keep(image); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "make.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := s.buildah(ctx, "inspect", "--type", "image", image); err == nil {
		return nil
	}
	return do()
}

func (s *Store) makeBase(ctx context.Context, image, dir string, site map[string]string) error {
	work, err := os.MkdirTemp("", "buildahtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for path, content := range site {
		path = filepath.Join(work, "site", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			return err
		}
	}
	file := filepath.Join(work, "Dockerfile")
	if err := errors.Join(os.WriteFile(file, []byte(baseFile), 0o600), copyFile(filepath.Join(work, "rootfs.tar"), filepath.Join(dir, "rootfs.tar"))); err != nil {
		return err
	}
	if _, err := s.Build(ctx, Build{Context: work, Image: image + "-tree"}); err != nil {
		return err
	}
	c, err := s.From(ctx, image+"-tree")
	if err != nil {
		return err
	}
	defer c.Remove(ctx)
	version, err := c.Run(ctx, Process{Args: []string{"python3", "-c", "import platform; print(platform.python_version())"}})
	if err != nil {
		return err
	}
	if err := c.Configure(ctx, "--env", "PYTHON_VERSION="+version); err != nil {
		return err
	}
	return c.Commit(ctx, image)
}

func copyFile(to, from string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// site are the files by which this machine reaches the package registries.
func site(ctx context.Context) (map[string]string, error) {
	bundle := "/etc/ssl/certs/ca-certificates.crt"
	if file := os.Getenv("SSL_CERT_FILE"); file != "" {
		bundle = file
	}
	certificates, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("read the machine's certificates, or those that SSL_CERT_FILE names: %w", err)
	}
	files := map[string]string{"etc/ssl/certs/ca-certificates.crt": string(certificates)}
	if text, err := pipSettings(ctx); err != nil || text != "" {
		files["etc/pip.conf"] = text
		if err != nil {
			return nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, "apt-config", "dump").Output(); err == nil {
		if lines := aptSetting.FindAllString(string(out), -1); len(lines) > 0 {
			files["etc/apt/apt.conf.d/90site"] = strings.Join(lines, "\n") + "\n"
		}
	}
	return files, nil
}

// aptSetting finds what says how APT reaches its mirrors. Debian's own
// certificates are the base's, too.
var aptSetting = regexp.MustCompile(`(?m)^Acquire::(?:https?::(?:Proxy|Verify|No-Cache)|Check-|Retries|ForceIP).*;$`)

// pipSettings is a pip.conf of what pip is set to here as to where packages
// come from, by files and variables.
func pipSettings(ctx context.Context) (string, error) {
	dir, err := setup.Part("pytools", "pytools")
	if err != nil {
		return "", err
	}
	const script = `
import ast, json, subprocess, sys
out = subprocess.run([sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, check=True).stdout.decode()
lines = (line.split("=", 1) for line in out.splitlines())
print(json.dumps([[key, ast.literal_eval(value)] for key, value in lines]))
`
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "bin", "python"), "-c", script).Output()
	if err != nil {
		return "", fmt.Errorf("read pip's settings: %w", err)
	}
	var pairs [][2]string
	if err := json.Unmarshal(out, &pairs); err != nil {
		return "", fmt.Errorf("read pip's settings: %w", err)
	}
	values := map[string]string{}
	for _, section := range []string{"global.", "install.", ":env:."} { // the later wins
		for _, pair := range pairs {
			name, ok := strings.CutPrefix(pair[0], section)
			name = strings.ReplaceAll(name, "_", "-")
			if ok && slices.Contains([]string{"index-url", "extra-index-url", "trusted-host", "proxy", "timeout"}, name) {
				values[name] = strings.ReplaceAll(strings.TrimSpace(pair[1]), "\n", "\n    ")
			}
		}
	}
	text := "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"
	for _, name := range []string{"index-url", "extra-index-url", "trusted-host", "proxy", "timeout"} {
		if value, ok := values[name]; ok {
			text += name + " = " + value + "\n"
		}
	}
	return text, nil
}

// Go returns the name of an image with the machine's Go and make, in place of
// docker.io/library/golang.
func (s *Store) Go(ctx context.Context) (string, error) {
	base, err := s.Base(ctx)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	lines := strings.Fields(string(out))
	root, version := lines[0], lines[1]
	_, key, _ := strings.Cut(base, ":")
	sum := sha256.Sum256([]byte(goFile))
	image := repository + "go:" + version + "-" + key + "-" + hex.EncodeToString(sum[:4])
	return image, s.once(ctx, image, func() error {
		file, err := os.CreateTemp("", "Dockerfile-")
		if err != nil {
			return err
		}
		defer os.Remove(file.Name())
		_, err = file.WriteString(goFile)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		_, err = s.Build(ctx, Build{Context: root, File: file.Name(), Image: image, Args: map[string]string{"BASE_IMAGE": base}})
		return err
	})
}
