package scaffolds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// signingPassword locks the key that releases are signed with.
const signingPassword = "canary-signing"

// installCosign compiles the cosign that the workflows name into a directory, as they do; it takes
// minutes the first time on a machine. What Go keeps is where it is outside of tests.
func installCosign(t *testing.T, bin string) (environ []string) {
	t.Helper()
	script := ""
	for _, step := range readWorkflow(t, "derived-image/.github/workflows/release.yml").Jobs["sign"].Steps {
		if strings.Contains(step.Run, "go install") {
			script = step.Run
		}
	}
	version := regexp.MustCompile(`\S+/cosign@v\S+`).FindString(script)
	install := exec.Command("go", "install", version)
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", version, err, out)
	}
	names := []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		environ = append(environ, names[i]+"="+value)
	}
	return environ
}

// signed runs the release workflow of an image that is there with a key, and has cosign verify what it
// made of it: the signature, the bill of materials, the provenance. Another key is refused.
func (s *scene) signed(t *testing.T, image string) {
	t.Helper()
	keys := map[string]string{}
	for _, name := range []string{"ours", "other"} {
		keys[name] = filepath.Join(s.temp, name)
		s.must(t, "env", "COSIGN_PASSWORD="+signingPassword, "cosign", "generate-key-pair", "--output-key-prefix", keys[name])
	}
	key, err := os.ReadFile(keys["ours"] + ".key")
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := os.ReadFile(filepath.Join(s.temp, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "secrets", string(secrets)+"COSIGN_PASSWORD="+signingPassword+"\nCOSIGN_PRIVATE_KEY=\""+strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", `\n`)+"\"\n")
	for range 2 {
		if out, err := s.act(t, "push", "release.yml", "--var", "SIGN=key"); err != nil {
			t.Fatalf("%s: sign: %v\n%s", s.forge, err, out)
		}
	}
	builder := "/acme/odoo-image/." + s.forge + "/workflows/release.yml@refs/heads/17.0"
	for _, c := range []struct {
		args []string
		want string // in what is verified
	}{
		{[]string{"verify"}, image[strings.Index(image, "@")+1:]},
		{[]string{"verify-attestation", "--type", "cyclonedx"}, `"payloadType":"application/vnd.in-toto+json"`},
		{[]string{"verify-attestation", "--type", "slsaprovenance1"}, `"payloadType":"application/vnd.in-toto+json"`},
	} {
		with := func(key string) []string {
			return append(append([]string{}, c.args...), "--key", key+".pub", "--insecure-ignore-tlog=true", image)
		}
		if out := s.must(t, "cosign", with(keys["ours"])...); !strings.Contains(out, c.want) {
			t.Errorf("%s: cosign %v: %s", s.forge, c.args, out)
		}
		if out, err := s.call(t, "cosign", with(keys["other"])...); err == nil {
			t.Errorf("%s: cosign %v takes another key: %s", s.forge, c.args, out)
		}
	}
	if out := s.must(t, "odoo-build-image", "provenance", image); !strings.Contains(out, builder) || !strings.Contains(out, "/actions/runs/1") {
		t.Errorf("%s: the provenance is\n%s", s.forge, out)
	}
	if out := s.must(t, "odoo-build-image", "provenance", "--json", image); !regexp.MustCompile(`"languages": \[\s*"ca",\s*"es"\s*\]`).MatchString(out) {
		t.Errorf("%s: the translations were not chosen:\n%s", s.forge, out)
	}
	if out := s.must(t, "odoo-build-image", "sbom", image); !strings.Contains(out, "./odoo") {
		t.Errorf("%s: the bill of materials is\n%s", s.forge, out)
	}
}
