package git

import (
	"fmt"
	"slices"
	"strings"
)

// setting is one line of git configuration.
type setting struct{ key, value string }

// passed names the variables that a run of git may see of the caller's.
func passed(name string) bool {
	return slices.Contains([]string{
		"PATH", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE",
	}, strings.ToUpper(name))
}

// credentialsVariable names the file for helper.
const credentialsVariable = "ODYSSEY_GIT_CREDENTIALS" //nolint:gosec // a name, no credential

// helper answers git's question for credentials from the file named in the
// environment, and ignores git's wish to store or erase any.
const helper = `!f() { test "$1" = get || exit 0; exec git credential-store --file "$ODYSSEY_GIT_CREDENTIALS" get; }; f`

// environment is what every run of git sees: what is passed of the caller's,
// and no configuration but ours, not even that of a repository around the
// working directory.
func environment(o Options) []string {
	var env []string
	for _, kv := range o.Environ {
		if name, _, _ := strings.Cut(kv, "="); passed(name) {
			env = append(env, kv)
		}
	}
	return append(env,
		"HOME=/nonexistent", "GIT_DIR=/nonexistent", "LC_ALL=C", credentialsVariable+"="+o.CredentialsFile,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ALLOC_LIMIT=256m",
		"GIT_ALLOW_PROTOCOL="+strings.Join(o.Policy.Schemes(), ":"), "GIT_SSH_VARIANT=ssh",
	)
}

// settings is the configuration of every run of git.
func settings(o Options) []setting {
	followRedirects := "initial"
	if o.Policy.PublicOnly() {
		followRedirects = "false" // a redirect would leave the checked address
	}
	out := []setting{
		{"protocol.version", "2"},
		{"core.hooksPath", "/dev/null"},
		{"core.fsmonitor", "false"},
		{"core.askPass", ""},
		{"credential.helper", ""},
		{"http.followRedirects", followRedirects},
		{"http.lowSpeedLimit", "500"}, // bytes a second …
		{"http.lowSpeedTime", "30"},   // … for so many seconds
		{"submodule.recurse", "false"},
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
	}
	if o.CredentialsFile != "" {
		out = append(out, setting{"credential.helper", helper})
	}
	return out
}

// inEnvironment passes settings so that no value of them shows in a process
// list.
func inEnvironment(all []setting) []string {
	env := []string{fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(all))}
	for i, s := range all {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s.key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s.value))
	}
	return env
}

// proxied reports whether https goes through a proxy, which then looks up
// host names itself.
func proxied(env []string) bool {
	return slices.ContainsFunc(env, func(kv string) bool {
		name, value, _ := strings.Cut(strings.ToLower(kv), "=")
		return value != "" && (name == "https_proxy" || name == "all_proxy")
	})
}
