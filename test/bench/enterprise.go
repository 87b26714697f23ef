package main

import (
	"archive/tar"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// What is asked for, and of what.
const (
	importRatio  = 5.0 // times faster than adding and committing module by module
	againRatio   = 2.0 // of reading the archive
	importMemory = 200 << 20
	importRounds = 3

	enterpriseModules = 800
	enterpriseFiles   = 25_000
	freshBytes        = 5600     // of each file, that hardly compress
	smallText         = 8 << 10  // of each file, that do
	largeText         = 56 << 10 // the same, for the large bundle
	bundleBytes       = 100e6    // of a bundle, at least
	largeBytes        = 1.5e9    // of the large one unpacked, at least
)

const benchSeries = "version_info = (17, 0, 0, FINAL, 0, '')\n"

// commitScript does what the import does, as one would without it: the bundle is
// unpacked, and each module copied, added and committed.
const commitScript = `set -euo pipefail
bundle=$1 mirror=$2 work=$3
mkdir "$work"
tar -xzf "$bundle" -C "$work"
for dir in "$work"/*/odoo/addons/ent_*; do
    name=${dir##*/}
    cp -r "$dir" "$mirror/$name"
    git -C "$mirror" add "$name"
    git -C "$mirror" commit --quiet -m "[ADD] $name: import"
done
`

type enterpriseScene struct {
	program, dir string
}

func (s *suite) enterprise(ctx context.Context) error {
	dir := filepath.Join(s.dir, "enterprise")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	program, err := buildProgram(ctx, dir, "odyssey-bot")
	if err != nil {
		return err
	}
	e := &enterpriseScene{program, dir}
	if err := e.community(ctx); err != nil {
		return err
	}
	for changed, name := range []string{"first.20261120.tar.gz", "second.20261121.tar.gz"} {
		if _, err := e.bundle(name, smallText, changed); err != nil {
			return err
		}
	}
	return errors.Join(e.first(ctx), e.again(ctx), e.large(ctx))
}

func (e *enterpriseScene) path(name string) string { return filepath.Join(e.dir, name) }

// community makes a checkout of one module, and its lock.
func (e *enterpriseScene) community(ctx context.Context) error {
	dir := e.path("community")
	for name, text := range map[string]string{"odoo/release.py": benchSeries, "odoo/addons/base/__manifest__.py": "{}\n"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	script := `git init -q -b 17.0 community && git -C community add . && git -C community commit -q -m one
printf './odoo:\n  remotes:\n    o: https://example.org/odoo.git\n  merges:\n  - o %s\n' "$(git -C community rev-parse HEAD)" > repos.lock.yaml`
	_, err := measure(ctx, e.dir, "bash", "-c", script)
	return err
}

// bundle writes a bundle. The files of the modules are the same each time, but for
// those of one module when changed is not 0.
// It returns how many bytes the files have.
func (e *enterpriseScene) bundle(name string, text, changed int) (size int64, err error) {
	f, err := os.Create(e.path(name))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	w := tar.NewWriter(z)
	put := func(name string, content []byte) error {
		size += int64(len(content))
		header := &tar.Header{Name: "odoo-17.0/odoo/" + name, Mode: 0o644, Size: int64(len(content))}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	if err := errors.Join(put("release.py", []byte(benchSeries)), put("addons/base/__manifest__.py", []byte("{}\n"))); err != nil {
		return size, err
	}
	random := rand.NewChaCha8([32]byte{1})
	fresh := make([]byte, freshBytes*3/4)
	filler := strings.Repeat("<field name=\"arch\" type=\"xml\"/>\n", text/32)
	for m := range enterpriseModules {
		dir := fmt.Sprintf("addons/ent_%03d/", m)
		if err := put(dir+"__manifest__.py", []byte("{'version': '1.0', 'license': 'OEEL-1'}\n")); err != nil {
			return size, err
		}
		for n := range enterpriseFiles/enterpriseModules - 1 {
			_, _ = random.Read(fresh) // it has no errors
			content := base64.StdEncoding.EncodeToString(fresh) + filler
			if m == 400 && n == 0 && changed != 0 {
				content += fmt.Sprint(changed)
			}
			if err := put(fmt.Sprintf("%sviews/view_%02d.xml", dir, n), []byte(content)); err != nil {
				return size, err
			}
		}
	}
	return size, errors.Join(w.Close(), z.Close())
}

// mirror makes an empty one.
func (e *enterpriseScene) mirror(ctx context.Context, name string) error {
	_, err := measure(ctx, e.dir, "git", "init", "-q", "-b", "17.0", name)
	return err
}

func (e *enterpriseScene) apply(ctx context.Context, bundle, mirror string) (usage, error) {
	return measure(ctx, e.dir, e.program, "enterprise-import", "--source-bundle", bundle, "--community-src", "community",
		"--repos-lock", "repos.lock.yaml", "--current-src", mirror, "--apply", "--json-only", "--quiet")
}

// first imports everything into an empty mirror.
func (e *enterpriseScene) first(ctx context.Context) error {
	info, err := os.Stat(e.path("first.20261120.tar.gz"))
	if err != nil {
		return err
	}
	if info.Size() < bundleBytes {
		return fmt.Errorf("the bundle has %d bytes, asked are %.0f", info.Size(), bundleBytes)
	}
	fmt.Printf("  %d modules, %d files, %.0f MB, into an empty mirror:\n", enterpriseModules, enterpriseFiles, megabytes(info.Size()))
	var ours []usage
	for round := range importRounds {
		mirror := fmt.Sprintf("ours-%d", round)
		if err := e.mirror(ctx, mirror); err != nil {
			return err
		}
		one, err := e.apply(ctx, "first.20261120.tar.gz", mirror)
		if err != nil {
			return err
		}
		ours = append(ours, one)
	}
	if err := e.mirror(ctx, "theirs"); err != nil {
		return err
	}
	peer, err := measure(ctx, e.dir, "bash", "-c", commitScript, "-", "first.20261120.tar.gz", "theirs", "unpacked")
	if err != nil {
		return err
	}
	// Both have the same files.
	if _, err := measure(ctx, e.dir, "diff", "-r", "-q", "--exclude=.git", "--exclude=README.md", "ours-0", "theirs"); err != nil {
		return err
	}
	printUsage("tar, git add, git commit", []usage{peer})
	printUsage("enterprise-import", ours)
	ratio := peer.wall.Seconds() / medianOf(ours, wall).Seconds()
	fmt.Printf("  ratio                                  %8.1f times faster (asked: %g)\n", ratio, importRatio)
	if ratio < importRatio {
		return fmt.Errorf("the import is %.1f times faster, asked are %g", ratio, importRatio)
	}
	return nil
}

// again imports a bundle in which one module is another one.
func (e *enterpriseScene) again(ctx context.Context) error {
	fmt.Println("  again, one module changed:")
	var read, ours []usage
	for round := range importRounds {
		one, err := measure(ctx, e.dir, "bash", "-c", "tar -xzOf second.20261121.tar.gz >/dev/null")
		if err != nil {
			return err
		}
		read = append(read, one)
		if one, err = e.apply(ctx, "second.20261121.tar.gz", fmt.Sprintf("ours-%d", round)); err != nil {
			return err
		}
		ours = append(ours, one)
	}
	printUsage("tar reads the archive", read)
	printUsage("enterprise-import", ours)
	ratio := medianOf(ours, wall).Seconds() / medianOf(read, wall).Seconds()
	fmt.Printf("  ratio                                  %8.2f of reading (asked: less than %g)\n", ratio, againRatio)
	if ratio >= againRatio {
		return fmt.Errorf("the import takes %.2f times as long as reading, asked are less than %g", ratio, againRatio)
	}
	return nil
}

// large imports 1.5 GB.
func (e *enterpriseScene) large(ctx context.Context) error {
	size, err := e.bundle("large.20261120.tar.gz", largeText, 0)
	if err := errors.Join(err, e.mirror(ctx, "large")); err != nil {
		return err
	}
	if size < largeBytes {
		return fmt.Errorf("the large bundle unpacks to %d bytes, asked are %.0f", size, largeBytes)
	}
	fmt.Printf("  a bundle of %.1f GB unpacked:\n", float64(size)/1e9)
	one, err := e.apply(ctx, "large.20261120.tar.gz", "large")
	if err != nil {
		return err
	}
	printUsage("enterprise-import", []usage{one})
	fmt.Printf("  memory of enterprise-import            %8.1f MB (asked: at most %d)\n", megabytes(one.peak), importMemory>>20)
	if one.peak == 0 || one.peak > importMemory {
		return fmt.Errorf("enterprise-import had %.1f MB of memory, asked are %d", megabytes(one.peak), importMemory>>20)
	}
	return nil
}
