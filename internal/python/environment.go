package python

import (
	"slices"
	"strings"
)

// passed names the caller's variables that a tool may see. Those of pip and uv
// are not among them: settings makes them from what pip is set to.
func passed(name string) bool {
	return slices.Contains([]string{
		"PATH", "HOME", "TMPDIR", "NETRC", "SOURCE_DATE_EPOCH", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS",
		// Certificates and proxies.
		"SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
		// Compilers, for source distributions.
		"CC", "CXX", "CPP", "LD", "AR", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "LD_LIBRARY_PATH",
		"LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "PKG_CONFIG_PATH", "CARGO_HOME", "RUSTUP_HOME", "STATIC_DEPS",
	}, strings.ToUpper(name))
}

// baseEnvironment is what every tool sees.
func baseEnvironment(environ []string) []string {
	var env []string
	for _, kv := range environ {
		if name, _, _ := strings.Cut(kv, "="); passed(name) {
			env = append(env, kv)
		}
	}
	return append(env,
		"LC_ALL=C.UTF-8", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1", "PYTHONUTF8=1", "NO_COLOR=1", "TERM=dumb",
	)
}
