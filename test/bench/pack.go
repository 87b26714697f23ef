package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nuobit/odyssey/test/registrytest"
)

// What is asked for.
const (
	packRatio   = 3.0
	movedRatio  = 30.0
	movedShare  = 0.01 // of the bytes that the peer sends
	packModules = 270  // of the large repository, for 1 GB
	packSmall   = 12   // repositories beside it
	packRounds  = 3
)

// packScene is a build that is packed by both: sources, environment and addons path are there. The
// peer's two Dockerfiles copy them, the first from the build context and the second from the first, so that it
// need not even build.
type packScene struct {
	*scene
	context  string // the peer's build context, with src, venv and etc
	base     string // image to build upon, in both registries
	own      *registrytest.Daemon
	theirs   *registrytest.Daemon
	buildah  string
	storage  []string // buildah's options
	releases int
}

const sourceBuildFile = `FROM scratch
COPY src /opt/odoo/src
COPY venv /opt/odoo/venv
COPY etc /etc/odoo
`

const finalFile = `ARG BASE
ARG SOURCE
FROM ${SOURCE} AS source
FROM ${BASE}
COPY --from=source /opt/odoo/src /opt/odoo/src
COPY --from=source /opt/odoo/venv /opt/odoo/venv
COPY --from=source /etc/odoo /etc/odoo
`

func (s *suite) pack(ctx context.Context) (err error) {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	made, err := s.opening(newScene(filepath.Join(s.trees, "pack"), p))
	if err != nil {
		return err
	}
	scene := &packScene{scene: made, context: filepath.Join(made.dir, "context")}
	defer func() { err = errors.Join(err, scene.close()) }()
	if err := scene.prepare(ctx); err != nil {
		return err
	}
	return errors.Join(scene.full(ctx), scene.moved(ctx))
}

// prepare makes what both begin with.
func (s *packScene) prepare(ctx context.Context) error {
	s.entries = []entry{{destination: "odoo", repo: "odoo", refs: []string{"17.0"}}}
	if err := packRepo(ctx, s.server, "odoo", packModules); err != nil {
		return err
	}
	for i := range packSmall {
		name := fmt.Sprintf("small-%02d", i)
		if err := historyRepo(ctx, s.server, name, historyOptions{seed: 300 + uint64(i), modules: 4, commits: 30, steps: packRounds + 1}); err != nil {
			return err
		}
		s.entries = append(s.entries, entry{destination: "addons/" + name, repo: name, refs: []string{"17.0"}})
	}
	var err error
	if s.buildah, err = exec.LookPath("buildah"); err != nil {
		return fmt.Errorf("buildah is measured against: apt-get install buildah: %w", err)
	}
	s.storage = []string{"--root", filepath.Join(s.dir, "storage"), "--runroot", filepath.Join(s.dir, "run")}
	for name, d := range map[string]**registrytest.Daemon{"own": &s.own, "theirs": &s.theirs} {
		dir := filepath.Join(s.dir, "registry-"+name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if *d, err = registrytest.StartDaemon(ctx, dir); err != nil {
			return err
		}
		err = inRepo(func(tb fatal) {
			s.base = "base/runtime@" + registrytest.Push(tb, (*d).Host+"/base/runtime:r1", registrytest.Base{
				Architecture: runtime.GOARCH, Labels: map[string]string{"io.github.nuobit.odyssey.python": pythonMinor(tb)},
			})
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(s.writeLock(ctx), s.build(ctx), s.files())
}

// files are those of the peer.
func (s *packScene) files() error {
	write := func(name, text string) error {
		return os.WriteFile(filepath.Join(s.context, name), []byte(text), 0o600)
	}
	return errors.Join(write("Dockerfile.source-build", sourceBuildFile), write("Dockerfile", finalFile))
}

// build materialises the sources, which both then pack.
func (s *packScene) build(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(s.context, "etc"), 0o755); err != nil {
		return err
	}
	src := filepath.Join(s.context, "src")
	if _, err := measure(ctx, s.dir, s.ours, "materialize", s.locked(), src, "--cache", s.packCache(), "--quiet"); err != nil {
		return err
	}
	if _, err := measure(ctx, s.dir, s.ours, "addons-path", "--prefix", "/opt/odoo/src", s.locked(), src, filepath.Join(s.context, "etc", "addons_path"), "--quiet"); err != nil {
		return err
	}
	venv := filepath.Join(s.context, "venv")
	if _, err := os.Stat(venv); err == nil {
		return nil
	}
	_, err := measure(ctx, s.dir, "python3", "-I", "-m", "venv", venv)
	return err
}

func (s *packScene) packCache() string { return filepath.Join(s.dir, "cache") }

func (s *packScene) close() error {
	for _, d := range []*registrytest.Daemon{s.own, s.theirs} {
		if d != nil {
			d.Stop()
		}
	}
	if s.buildah == "" {
		return nil
	}
	out, err := exec.Command(s.buildah, append(s.storage, "rm", "--all")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("buildah rm: %w\n%s", err, out)
	}
	// What it mounts for itself stays for the next run.
	err = unix.Unmount(filepath.Join(s.dir, "storage", "overlay"), unix.MNT_DETACH)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil // it was none
	}
	return err
}

// packed is what packing took, and how many bytes the registry has kept of it: those that it did not
// have, in whichever repository.
type packed struct {
	usage
	bytes int64
}

// packOurs packs into a repository.
func (s *packScene) packOurs(ctx context.Context, repository string) (packed, error) {
	before, err := diskUsage(s.own.Dir)
	if err != nil {
		return packed{}, err
	}
	s.releases++
	u, err := measure(ctx, s.dir, "env", "ODOO_VENV="+filepath.Join(s.context, "venv"), s.ours, "pack", s.locked(), filepath.Join(s.context, "src"), "--cache", s.packCache(), "--quiet",
		"--base", s.own.Host+"/"+s.base, "--output", "docker://"+s.own.Host+"/"+repository, "--next-tag", "17.0-r",
		"--image-venv", filepath.Join(s.context, "venv"), "--requirements-lock=", "--annotation", fmt.Sprintf("org.opencontainers.image.revision=%d", s.releases))
	if err != nil {
		return packed{}, err
	}
	after, err := diskUsage(s.own.Dir)
	return packed{u, after - before}, err
}

// packPeer builds the two Dockerfiles and pushes.
func (s *packScene) packPeer(ctx context.Context, repository string) (packed, error) {
	before, err := diskUsage(s.theirs.Dir)
	if err != nil {
		return packed{}, err
	}
	var sum packed
	local := "localhost/" + repository
	for _, args := range [][]string{
		{"bud", "--isolation", "chroot", "--layers", "--quiet", "--tag", local + ":source", "--file", filepath.Join(s.context, "Dockerfile.source-build"), s.context},
		{
			"bud", "--isolation", "chroot", "--layers", "--quiet", "--tls-verify=false", "--build-arg", "BASE=" + s.theirs.Host + "/" + s.base, "--build-arg", "SOURCE=" + local + ":source",
			"--tag", local + ":final", "--file", filepath.Join(s.context, "Dockerfile"), s.context,
		},
		{"push", "--quiet", "--tls-verify=false", local + ":final", "docker://" + s.theirs.Host + "/" + repository + ":final"},
	} {
		u, err := measure(ctx, s.dir, s.buildah, append(s.storage, args...)...)
		if err != nil {
			return sum, err
		}
		sum.wall, sum.cpu, sum.peak = sum.wall+u.wall, sum.cpu+u.cpu, max(sum.peak, u.peak)
	}
	after, err := diskUsage(s.theirs.Dir)
	sum.bytes = after - before
	return sum, err
}

// full packs everything, into a repository and a storage that have nothing.
func (s *packScene) full(ctx context.Context) error {
	fmt.Println("  everything, nothing published before:")
	peer, err := s.packPeer(ctx, "acme/first")
	if err != nil {
		return err
	}
	var ours []packed
	for round := range packRounds {
		one, err := s.packOurs(ctx, fmt.Sprintf("acme/full-%d", round))
		if err != nil {
			return err
		}
		ours = append(ours, one)
	}
	return errors.Join(comparePacks(peer, ours, packRatio), packMemory(ours))
}

// moved packs again after one small repository has moved.
func (s *packScene) moved(ctx context.Context) error {
	fmt.Println("  after one small repository moved:")
	if _, err := s.packOurs(ctx, "acme/first"); err != nil {
		return err
	}
	var peer packed
	var ours []packed
	for round := range packRounds {
		s.entries[1].refs[0] = fmt.Sprintf("step-%d", round+1)
		if err := errors.Join(s.writeLock(ctx), s.build(ctx)); err != nil {
			return err
		}
		one, err := s.packOurs(ctx, "acme/first")
		if err != nil {
			return err
		}
		ours = append(ours, one)
	}
	// Once will do, as it takes minutes: of what it has done before only the base can be used again.
	peer, err := s.packPeer(ctx, "acme/first")
	if err != nil {
		return err
	}
	err = errors.Join(comparePacks(peer, ours, movedRatio), packMemory(ours))
	share := float64(ours[len(ours)-1].bytes) / float64(peer.bytes)
	fmt.Printf("  bytes                                  %8.2f %% of the peer's (asked: less than %g %%)\n", 100*share, 100*movedShare)
	if share >= movedShare {
		err = errors.Join(err, fmt.Errorf("pack sends %.2f %% of the peer's bytes, asked are less than %g %%", 100*share, 100*movedShare))
	}
	return err
}

func usages(all []packed) []usage {
	var some []usage
	for _, p := range all {
		some = append(some, p.usage)
	}
	return some
}

func comparePacks(peer packed, ours []packed, floor float64) error {
	printUsage("buildah bud twice, push", []usage{peer.usage})
	printUsage("odoo-build-image pack", usages(ours))
	took := medianOf(usages(ours), wall)
	ratio := peer.wall.Seconds() / took.Seconds()
	fmt.Printf("  kept by the registry                   %8.1f MB, of the peer %.1f MB\n", megabytes(ours[0].bytes), megabytes(peer.bytes))
	fmt.Printf("  ratio                                  %8.1f times faster (asked: %g)\n", ratio, floor)
	if ratio < floor {
		return fmt.Errorf("pack is %.1f times faster, asked are %g", ratio, floor)
	}
	return nil
}

func packMemory(ours []packed) error {
	var most int64
	for _, one := range ours {
		most = max(most, one.peak)
	}
	fmt.Printf("  memory of odoo-build-image             %8.1f MB (asked: at most %d)\n", megabytes(most), mostMemory>>20)
	if most == 0 || most > mostMemory {
		return fmt.Errorf("odoo-build-image had %.1f MB of memory, asked are %d", megabytes(most), mostMemory>>20)
	}
	return nil
}

// pythonMinor is what the machine's Python calls itself.
func pythonMinor(tb fatal) string {
	out, err := exec.Command("python3", "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		tb.Fatalf("python3: %v", err)
	}
	return strings.TrimSpace(string(out))
}
