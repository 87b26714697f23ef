package release

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/internal/oci"
)

// venv is the layer of the Python environment.
func (p *packer) venv() (oci.Source, error) {
	key, err := p.venvKey()
	if err != nil {
		return oci.Source{}, err
	}
	previous := p.had(layerVenv)
	s := oci.Source{Name: "virtualenv", From: p.Previous, Annotations: map[string]string{annotationLayer: layerVenv}}
	if key != "" {
		s.Annotations[annotationKey] = key
	}
	there, err := exists(p.Venv)
	if err != nil {
		return s, err
	}
	if !there {
		if previous == nil || key == "" || previous.Annotations[annotationKey] != key {
			return s, invalid("there is no environment %s, and no previous image with the same one; build it: odoo-build-image python-env requirements.lock.txt", p.Venv)
		}
		s.Same = previous
		s.Annotations[annotationPackages] = previous.Annotations[annotationPackages]
		return s, nil
	}
	if err := p.checkVenvPlace(); err != nil {
		return s, err
	}
	packages, err := installed(p.Venv)
	if err != nil {
		return s, err
	}
	said, err := json.Marshal(packages)
	if err != nil {
		return s, err
	}
	s.Annotations[annotationPackages] = string(said)
	in := strings.TrimPrefix(p.ImageVenv, "/")
	s.Maybe = previous
	s.Tree = &oci.Tree{Prefix: in, Dirs: strings.Count(in, "/"), Dir: p.Venv, Check: skipVenv, Content: p.skipContent}
	return s, nil
}

// venvKey is the digest of all that an environment is made from; "" when that is not
// known. Packages that are built from source also depend on the base.
func (p *packer) venvKey() (string, error) {
	if p.RequirementsLock == "" {
		return "", nil
	}
	data, err := os.ReadFile(p.RequirementsLock)
	if errors.Is(err, fs.ErrNotExist) {
		return "", invalid("%s does not exist; name the environment's lock by --requirements-lock, or none by --requirements-lock=", p.RequirementsLock)
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return digest("venv", format, p.Compression.Version(), p.ImageVenv, p.Base.Digest, p.SystemBase.Digest, p.Platform.String(), hex.EncodeToString(sum[:])), nil
}

// checkVenvPlace refuses an environment whose programs look for it elsewhere than
// the image has it.
func (p *packer) checkVenvPlace() error {
	if _, err := os.Stat(filepath.Join(p.Venv, "pyvenv.cfg")); err != nil {
		return invalid("%s is no Python environment: it has no pyvenv.cfg", p.Venv)
	}
	programs, err := os.ReadDir(filepath.Join(p.Venv, "bin"))
	if err != nil {
		return err
	}
	for _, e := range programs {
		if !e.Type().IsRegular() {
			continue
		}
		at, err := interpreterOf(filepath.Join(p.Venv, "bin", e.Name()))
		if err != nil {
			return err
		}
		if at != "" && at != path.Join(p.ImageVenv, "bin") {
			return invalid("bin/%s of the environment runs %s/…, and the image will have it in %s: environments stay where they were made\n  build it with ODOO_VENV=%s, or name its place by --image-venv",
				e.Name(), at, p.ImageVenv, p.ImageVenv)
		}
	}
	return nil
}

// interpreterOf is the directory of the Python that a script's first line names;
// "" when it names none.
func interpreterOf(script string) (string, error) {
	f, err := os.Open(script)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 1<<10).ReadSlice('\n') // a longer one is of a binary
	words := strings.Fields(strings.TrimPrefix(string(bytes.TrimSpace(line)), "#!"))
	if !bytes.HasPrefix(line, []byte("#!")) || len(words) == 0 || !strings.HasPrefix(path.Base(words[0]), "python") {
		return "", nil
	}
	return path.Dir(words[0]), nil
}

// skipVenv refuses what may hold passwords, and leaves out what says where a package came from, which
// may, too.
func skipVenv(name string, e fs.DirEntry) (skip bool, err error) {
	switch {
	case name == "pip.conf" || name == "pip.ini" || name == "uv.toml" || e.Name() == ".netrc":
		return false, invalid("the environment has a %s, which may hold credentials of an index; no image may carry it: remove it", name)
	case e.Name() == "direct_url.json" && strings.HasSuffix(path.Dir(name), ".dist-info"):
		return true, nil
	}
	return false, nil
}

// skipContent leaves out compiled modules that hold a time, which somebody's run of Python left, and
// refuses programs for another processor.
func (p *packer) skipContent(name string, head []byte) (skip bool, err error) {
	if strings.HasSuffix(name, ".pyc") && len(head) >= 8 {
		return binary.LittleEndian.Uint32(head[4:8])&1 == 0, nil
	}
	if machine, ok := elfMachine(head); ok && machine != p.Platform.Architecture {
		return false, invalid("%s of the environment is for %s, and the image for %s; build the environment there", name, machine, p.Platform)
	}
	return false, nil
}

// elfMachine is the architecture, as Go calls it, of a program or library of Linux.
func elfMachine(head []byte) (string, bool) {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return "", false
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	name, known := map[uint16]string{3: "386", 40: "arm", 62: "amd64", 183: "arm64", 21: "ppc64le", 22: "s390x", 243: "riscv64"}[order.Uint16(head[18:20])]
	return name, known
}
