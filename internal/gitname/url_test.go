package gitname_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/gitname"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want gitname.URL
	}{
		{"https://github.com/odoo/odoo.git", gitname.URL{Scheme: "https", Host: "github.com", Path: "/odoo/odoo.git"}},
		{"https://git@git.example:8443/~ann/a+b,c=d.git", gitname.URL{Scheme: "https", User: "git", Host: "git.example", Port: "8443", Path: "/~ann/a+b,c=d.git"}},
		{"http://[2001:db8::1]:3000/x", gitname.URL{Scheme: "http", Host: "2001:db8::1", Port: "3000", Path: "/x"}},
		{"https://host/a%20b", gitname.URL{Scheme: "https", Host: "host", Path: "/a b"}},
		{"git://git.example/x", gitname.URL{Scheme: "git", Host: "git.example", Path: "/x"}},
		{"ssh://git@github.com:22/odoo/odoo.git", gitname.URL{Scheme: "ssh", User: "git", Host: "github.com", Port: "22", Path: "/odoo/odoo.git"}},
		{"git@github.com:odoo/odoo.git", gitname.URL{Scheme: "ssh", User: "git", Host: "github.com", Path: "odoo/odoo.git"}},
		{"github.com:odoo/odoo.git", gitname.URL{Scheme: "ssh", Host: "github.com", Path: "odoo/odoo.git"}},
		{"my_host:/srv/git/x", gitname.URL{Scheme: "ssh", Host: "my_host", Path: "/srv/git/x"}},
		{"file:///srv/git/x.git", gitname.URL{Scheme: "file", Path: "/srv/git/x.git"}},
		{"/srv/git/x.git", gitname.URL{Scheme: "file", Path: "/srv/git/x.git"}},
		{"../x.git", gitname.URL{Scheme: "file", Path: "../x.git"}},
		{"./x.git", gitname.URL{Scheme: "file", Path: "./x.git"}},
		{"https://git.example./x", gitname.URL{Scheme: "https", Host: "git.example.", Path: "/x"}},
	} {
		got, err := gitname.ParseURL(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(gitname.URL{})); diff != "" {
			t.Errorf("%s: %s", test.in, diff)
		}
		if got.String() != test.in {
			t.Errorf("%s became %s", test.in, got)
		}
	}
}

func TestParseURL_refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"", "an empty URL"},
		{"odoo", "odoo is no URL; write https://HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git"},
		{"https://github.com", "https://github.com names no repository"},
		{"https://github.com//", "https://github.com// names no repository"},
		{"https:///x", "https:///x has no valid host name"},
		{"https://a_/x-/", ""},
		{"https://.../x", "https://.../x has no valid host name"},
		{"https://:/x", "https://:/x has no valid host name"},
		{"https://[fe80::1%25eth0]/x", "https://[fe80::1%25eth0]/x has no valid host name"},
		{"https://host:port/x", "https://host:port/x is no valid URL"},
		{"https://host:123456/x", "https://host:123456/x has no valid port"},
		{"https://host/x?service=y", "https://host/x?service=y has a query or fragment; a repository's URL has none"},
		{"https://host/x#y", "https://host/x#y has a query or fragment; a repository's URL has none"},
		{"HTTPS://host/x", "HTTPS://host/x: write the protocol in small letters, as git needs it"},
		{"ftp://host/x", `ftp://host/x: "ftp" is no protocol for a repository; use https or ssh`},
		{"file://host/x", `file://host/x: "file" is no protocol for a repository; use https or ssh`},
		{"https://${TOKEN}@host/x", "a URL must not hold a $; --expand-env replaces variables"},
		{"https://host/" + strings.Repeat("x", 1000), "a URL of 1013 bytes; 1000 are allowed"},
	} {
		_, err := gitname.ParseURL(test.in)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.in, err)
			}
			continue
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\ngot  %v\nwant %s", test.in, err, test.want)
		}
	}
}

// What a program would take for an option, a shell for a command, or git for
// the name of a program.
func TestFault_G1_URL(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"-x", "--upload-pack=touch canary", "--upload-pack=x", "-oProxyCommand=x:y", "-u@host:x", "-host:x", "git@-host:x", "git@host:-x", "host:-x", "host:/-x",
		"$(id)", "https://host/$(id)", "https://$(id)/x", "git@host:$(id)", "ssh://host/`id`", "https://host/a;id", "https://host/a|id", "https://host/a&id", "https://host/a>b",
		"https://host/a'b", `https://host/a"b`, "/srv/$(id)", "/srv/a;b", "./`id`", "https://host/a\nb", "https://host/a\n--x", "https://host/a b", "https://host/a\tb", "https://host/a\x00", "https://host/a\u2028b",
		"https://host/\u202ex", "https://host/\u200bx", "https://host/\u00a0x", "https://host/a\xffb", `https://host\@evil/x`, `\\host\share`, "/srv/a\nb",
	} {
		if u, err := gitname.ParseURL(in); err == nil {
			t.Errorf("%q passes as %+v", in, u)
		} else if strings.ContainsAny(err.Error(), "\n\x00\u202e\u200b") {
			t.Errorf("%q: the error repeats it: %q", in, err)
		}
	}
}

func TestFault_G2_URL(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"ext::sh -c touch% canary", "ext::touch", "EXT::touch", "Ext::x", "ext::ssh://x/y", "fd::17", "testgit::x", "https::https://host/x", "::x", "ext::https://host/x", "EXT://x/y", "ext://x/y", "file::/x",
		"ssh://-oProxyCommand=touch/x", "ssh://-oProxyCommand=touch%20canary/x", "ssh://-oProxyCommand=touch@host/x", "ssh://git@-oProxyCommand=x/y", "ssh://host:-oProxyCommand=x/y", "ssh://host/-oProxyCommand=x",
		"-oProxyCommand=touch@host:x", "git+ssh://-o/x", "ssh+git://host/x", "javascript://host/x", "data://x/y", "FILE:///etc/passwd", "file://",
	} {
		if u, err := gitname.ParseURL(in); err == nil {
			t.Errorf("%q passes as %+v", in, u)
		}
	}
}

// A credential in a URL is refused and never repeated, wherever it stands.
func TestFault_T1_URL(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"https://ann:canary@host/x", "https://:canary@host/x", "https://canary:@host/x", "https://ann:ca/canary@host/x", "https://ann:ca@canary@host/x", "https://ann:ca:canary@host/x", "https://ann:ca#canary@host/x",
		"https://ann:ca?canary@host/x", "https://ann:c%zzcanary@host/x", "ssh://ann:canary@host/x", "ext::https://ann:canary@host/x", "-https://ann:canary@host/x", "HTTPS://ann:canary@host/x", "ann:canary@host:x",
		"ann:canary@host/x", "https://ghp_canary@host/x", "https://github_pat_canary@host/x", "https://glpat-canary@host/x", "ftp://ann:canary@host/x", "https://ann:canary@host/x y", "https://ann:can$ary@canary/x",
	} {
		u, err := gitname.ParseURL(in)
		if err == nil {
			t.Errorf("%s passes as %+v", in, u)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error repeats it: %v", in, err)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"no URL, ann@example.com", "no URL, ann@example.com"},
		{"https://host/x", "https://host/x"},
		{"fatal: unable to access 'https://ann:pw@host/x/': no", "fatal: unable to access 'https://[redacted]@host/x/': no"},
		{"https://a:b@c and ssh://d@e/f", "https://[redacted]@c and ssh://[redacted]@e/f"},
		{"https://a:p@ss/w@host/x", "https://[redacted]@host/x"},
	} {
		if got := gitname.Redact(test.in); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.in, got, test.want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"https://ann:canary@host/x", "git@host:o/r.git", "ext::sh", "-x", "file:///x", "ssh://-oX/y", "https://[::1]:3/x", "a:b@c:d", "https://h/%2e%2e/x", "../x", "https://a:b/c@d/e",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := gitname.ParseURL(in)
		if err != nil {
			// The words between "://" and the last "@" are where a credential stands.
			_, rest, _ := strings.Cut(in, "://")
			at := strings.LastIndex(rest, "@")
			if at > 8 && !strings.Contains(rest[at:], rest[:at]) && strings.Contains(err.Error(), rest[:at]) {
				t.Errorf("%q: the error repeats a credential: %v", in, err)
			}
			return
		}
		for name, part := range map[string]string{"URL": u.String(), "host": u.Host, "user": u.User, "port": u.Port} {
			if strings.HasPrefix(part, "-") || strings.ContainsAny(part, " \n\x00\t$`'\"\\;|&<>(){}*!^") {
				t.Errorf("%q passes with the %s %q", in, name, part)
			}
		}
		if u.Scheme != "file" && strings.HasPrefix(strings.TrimLeft(u.Path, "/"), "-") {
			t.Errorf("%q passes with the path %q", in, u.Path)
		}
		if before, _, found := strings.Cut(u.String(), "@"); found && u.Scheme != "file" {
			if _, user, _ := strings.Cut(before, "://"); strings.Contains(user, ":") && !strings.Contains(before, "://"+u.Host) {
				t.Errorf("%q passes with a password", in)
			}
		}
	})
}
