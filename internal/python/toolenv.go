package python

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pipEnvironment is what pip is told. URLs may hold passwords, so that nothing
// of it is an argument. No file of pip's is read again.
func (s *settings) pipEnvironment(cache string) []string {
	env := map[string]string{
		"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_NO_COLOR": "1",
		"PIP_PROGRESS_BAR": "off", "PIP_ROOT_USER_ACTION": "ignore",
		"PIP_INDEX_URL": s.indexURL, "PIP_EXTRA_INDEX_URL": join(s.extraIndexURLs), "PIP_FIND_LINKS": join(s.findLinks),
		"PIP_TRUSTED_HOST": join(s.trustedHosts), "PIP_CERT": s.cert, "PIP_CLIENT_CERT": s.clientCert, "PIP_PROXY": s.proxy,
		"PIP_TIMEOUT": s.timeout, "PIP_RETRIES": s.retries, "PIP_KEYRING_PROVIDER": s.keyring,
		"PIP_NO_BINARY": strings.Join(s.format.no, ","), "PIP_ONLY_BINARY": strings.Join(s.format.only, ","),
		"PIP_NO_INDEX": flag(s.noIndex), "PIP_PRE": flag(s.pre), "PIP_PREFER_BINARY": flag(s.preferBinary),
	}
	if cache == "" {
		env["PIP_NO_CACHE_DIR"] = "1"
	} else {
		env["PIP_CACHE_DIR"] = filepath.Join(cache, "pip")
	}
	return list(env)
}

// uvPassed names the caller's variables for uv that it may see: those that
// pip's settings have no word for, and those that overrule them.
func uvPassed(name string) bool {
	return slices.Contains([]string{
		"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_FIND_LINKS", "UV_INSECURE_HOST",
		"UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_HTTP_RETRIES", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_PRERELEASE",
		"UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_OFFLINE", "UV_TORCH_BACKEND", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS",
	}, name) || strings.HasPrefix(name, "UV_INDEX_") && (strings.HasSuffix(name, "_USERNAME") || strings.HasSuffix(name, "_PASSWORD"))
}

// uvEnvironment is what uv is told: the same as pip, but for what the caller
// tells uv itself.
func (s *settings) uvEnvironment(environ []string, cache string) []string {
	env := map[string]string{
		"UV_INDEX_STRATEGY": "unsafe-best-match", // as pip: every index has a say
		"UV_INSECURE_HOST":  join(s.trustedHosts), "SSL_CERT_FILE": s.cert, "SSL_CLIENT_CERT": s.clientCert,
		"HTTP_PROXY": s.proxy, "HTTPS_PROXY": s.proxy, "ALL_PROXY": s.proxy,
		"http_proxy": s.proxy, "https_proxy": s.proxy, "all_proxy": s.proxy,
		"UV_HTTP_TIMEOUT": wholeSeconds(s.timeout), "UV_HTTP_RETRIES": s.retries,
	}
	if s.keyring == "subprocess" {
		env["UV_KEYRING_PROVIDER"] = "subprocess"
	}
	if s.pre {
		env["UV_PRERELEASE"] = "allow"
	}
	own := map[string]string{}
	for _, kv := range environ {
		if name, value, _ := strings.Cut(kv, "="); uvPassed(name) && value != "" {
			own[name] = value
		}
	}
	if own["UV_DEFAULT_INDEX"]+own["UV_INDEX"]+own["UV_INDEX_URL"]+own["UV_EXTRA_INDEX_URL"] == "" {
		env["UV_DEFAULT_INDEX"], env["UV_INDEX"] = s.indexURL, join(s.extraIndexURLs)
	}
	if own["UV_FIND_LINKS"] == "" {
		env["UV_FIND_LINKS"] = strings.Join(s.findLinks, ",")
	}
	if own["UV_REQUEST_TIMEOUT"] != "" {
		delete(env, "UV_HTTP_TIMEOUT")
	}
	maps.Copy(env, own)
	maps.Copy(env, map[string]string{
		"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "UV_LINK_MODE": "copy", // hard links would let the tree change the cache
	})
	if cache == "" {
		env["UV_NO_CACHE"] = "1"
	} else {
		env["UV_CACHE_DIR"] = filepath.Join(cache, "uv")
	}
	return list(env)
}

// uvArguments are the settings that uv takes as arguments alone. None is
// secret.
func (s *settings) uvArguments() []string {
	var args []string
	if s.noIndex {
		args = append(args, "--no-index")
	}
	for _, name := range s.format.no {
		args = append(args, "--no-binary", name)
	}
	for _, name := range s.format.only {
		args = append(args, "--only-binary", name)
	}
	return args
}

func list(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name] != "" {
			out = append(out, name+"="+env[name])
		}
	}
	return out
}

func join(values []string) string { return strings.Join(values, " ") }

func flag(on bool) string {
	if on {
		return "1"
	}
	return ""
}

// wholeSeconds rounds up, as uv knows no parts of a second.
func wholeSeconds(value string) string {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds <= 0 || math.IsInf(seconds, 0) {
		return ""
	}
	return strconv.FormatInt(int64(math.Ceil(seconds)), 10)
}
