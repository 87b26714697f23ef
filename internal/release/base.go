package release

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/oci"
)

// base reads the image to build upon, and refuses one with another Python than the
// environment's.
func (p *packer) base(ctx context.Context) (*oci.Image, error) {
	ref := p.Base
	if p.SystemBase.Digest != "" {
		ref = p.SystemBase
	}
	image, err := p.Client.Image(ctx, ref, p.Platform)
	if err != nil {
		return nil, err
	}
	p.Platform = image.Platform
	there, err := exists(p.Venv)
	if err != nil || !there {
		return image, err
	}
	return image, p.checkPython(ctx, image)
}

var (
	minorDir = regexp.MustCompile(`^python(3\.[0-9]+)$`)
	minorOf  = regexp.MustCompile(`^3\.[0-9]+`)
)

// checkPython compares the environment's Python with the base's. Bases of ours have a
// label, those of Docker's official images a variable; of others the layers are read.
func (p *packer) checkPython(ctx context.Context, base *oci.Image) error {
	want, err := venvMinor(p.Venv)
	if err != nil {
		return err
	}
	has := base.Label(AnnotationPython)
	if has == "" {
		has = base.Env("PYTHON_VERSION")
	}
	if has != "" {
		if minor := minorOf.FindString(has); minor != want {
			return invalid("the environment is for Python %s, and the base %s has Python %s\n  build the environment with the base's Python, or take another base", want, base.Reference, has)
		}
		return nil
	}
	interpreter, err := venvInterpreter(p.Venv, want)
	if err != nil {
		return err
	}
	found, err := p.Client.HasFile(ctx, base, strings.TrimPrefix(interpreter, "/"))
	if err == nil && !found {
		err = invalid("the environment runs on %s, and the base %s has no such file\n  build the environment with the base's Python, or take another base", interpreter, base.Reference)
	}
	return err
}

// venvMinor is the minor version of an environment's Python, such as 3.12.
func venvMinor(venv string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(venv, "lib"))
	if err != nil {
		return "", invalid("%s is no Python environment: %v", venv, err)
	}
	for _, e := range entries {
		if m := minorDir.FindStringSubmatch(e.Name()); m != nil {
			return m[1], nil
		}
	}
	return "", invalid("%s is no Python environment: it has no lib/python3.x", venv)
}

// venvInterpreter is the program that an environment's python leads to, with its version in the
// name.
func venvInterpreter(venv, minor string) (string, error) {
	target := filepath.Join(venv, "bin", "python3")
	for range 8 {
		link, err := os.Readlink(target)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(target), link)
		}
		target = filepath.Clean(link)
	}
	if strings.HasPrefix(target, venv+string(filepath.Separator)) {
		return "", invalid("%s has its own copy of Python; make it with links, as python -m venv does", venv)
	}
	return filepath.Join(filepath.Dir(target), "python"+minor), nil
}
