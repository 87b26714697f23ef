package pep508_test

import (
	"math/rand/v2"
	"strings"
)

var operators = []string{"==", "!=", "<=", ">=", "<", ">", "~=", "==="}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// version is a version, or nearly one; of few numbers, so that many are close.
func version(r *rand.Rand) string { return release(r) + suffix(r) }

// versions are two versions, often of the same release.
func versions(r *rand.Rand) (a, b string) {
	first, second := release(r), release(r)
	if r.IntN(3) > 0 {
		second = first + pick(r, "", "", ".0", ".1")
	}
	a, b = first+suffix(r), second+suffix(r)
	if r.IntN(6) == 0 {
		a, _, _ = strings.Cut(a, "+")
		b = a + pick(r, "", "+1", "+a.2", "+1.a", "+1.1")
		a += pick(r, "", "+1", "+a", "+a.10", "+b", "+1.b")
	}
	return a, b
}

func release(r *rand.Rand) string {
	n := func() string { return pick(r, "0", "1", "2", "3", "10", "010") }
	text := pick(r, "", "", "", "", "", "", "v", "1!", "0!") + n()
	for range r.IntN(3) {
		text += "." + n()
	}
	return text
}

func suffix(r *rand.Rand) string {
	text := pick(r, "", "", "", "", "", "a1", "rc1", ".beta", "-pre-2", "c", "_preview3", "Alpha0")
	text += pick(r, "", "", "", "", "", ".post1", "-2", "r", ".post", "_rev-3")
	text += pick(r, "", "", "", "", "", ".dev0", "dev", "-dev_2")
	return text + pick(r, "", "", "", "", "", "", "", "", "+local", "+1.a", "+Ubuntu-1", "+01", "-", "x")
}

func comparison(r *rand.Rand) string {
	quote := pick(r, `'`, `"`)
	key := pick(r, "python_version", "python_version", "python_full_version", "python_full_version", "implementation_version", "platform_release",
		"os_name", "os.name", "sys_platform", "sys.platform", "platform_system", "platform_version", "platform.version", "platform_machine", "platform.machine",
		"platform_python_implementation", "platform.python_implementation", "python_implementation", "implementation_name", "extra")
	value := pick(r, "3.10", "3.12", "3.8 3.9 3.10", "3", "3.1", "3.13.0", "3.13.0rc1", "3.13.*", "3.13.0rc1.*", "linux", "Linux", "linux2", "win32", "posix",
		"x86_64", "CPython", "cpython", "Foo-Bar", "foo_bar", "", "=3.12", "5.10.0", version(r))
	op := pick(r, append([]string{" in ", " not in ", " not  in "}, operators...)...)
	space := func() string { return pick(r, "", " ", "\t", "  ") }
	left, right := key, quote+value+quote
	if r.IntN(4) == 0 {
		left, right = right, left
	}
	if strings.HasPrefix(op, " ") {
		return left + op + right
	}
	return left + space() + op + space() + right
}

func marker(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return comparison(r)
	}
	text := marker(r, depth-1)
	for range r.IntN(3) {
		text += pick(r, " and ", " or ", "  and\t", " or ") + marker(r, depth-1)
	}
	if r.IntN(2) == 0 {
		return "(" + pick(r, "", " ") + text + pick(r, "", " ") + ")"
	}
	return text
}

// damage makes one in eight texts a nearly right one.
func damage(r *rand.Rand, text string) string {
	if r.IntN(8) != 0 || text == "" {
		return text
	}
	at := r.IntN(len(text))
	return text[:at] + pick(r, "", "(", ")", ";", ",", "'", `"`, "=", " ", "x", "[", "]", "@", ".*", "~") + text[at+r.IntN(2):]
}

func generatedMarkers(n int) []string {
	r := rand.New(rand.NewPCG(3, 4))
	texts := make([]string, n)
	for i := range texts {
		texts[i] = damage(r, marker(r, 3))
	}
	return texts
}

func generatedRequirements(n int) []string {
	r := rand.New(rand.NewPCG(5, 6))
	texts := make([]string, n)
	for i := range texts {
		text := pick(r, "a", "Foo.Bar", "foo__bar-baz", "A1", " lead", "x_y") + pick(r, "", "", " ") + pick(r, "", "", "[b]", "[B_c, d.e]", "[ ]", "[a,a,A]")
		switch r.IntN(3) {
		case 0:
			text += pick(r, "@", " @ ", "@ ") + pick(r, "https://example.com/a.whl", "git+https://example.com/a@v1#egg=a", "./x;y")
			text += pick(r, "", " ; ", " ;", " ") + pick(r, "", marker(r, 1))
		default:
			open := pick(r, "", "", "(")
			text += pick(r, "", " ") + open
			for range r.IntN(4) {
				text += pick(r, operators...) + pick(r, "", " ") + version(r) + pick(r, "", "", ".*")
				text += pick(r, ",", ", ", " , ", "")
			}
			if open != "" {
				text += ")"
			}
			text += pick(r, "", "; ", " ;") + pick(r, "", marker(r, 1))
		}
		texts[i] = damage(r, text)
	}
	return texts
}

func markerTable() []string {
	return []string{
		`python_version < '3.11'`, `python_version<"3.11"`, `'3.11' > python_version`, `python_version >= '3.9' and python_version < '3.13'`,
		`python_version == '3.1'`, `python_version == '3.10'`, `python_version == '3.10.*'`, `python_version ~= '3.10'`, `python_version ~= '3'`,
		`python_version === '3.10'`, `python_version in '3.9 3.10'`, `python_version not in '3.9,3.10'`, `python_version != '3.12'`, `'3' in python_version`,
		`python_full_version < '3.13'`, `python_full_version < '3.13.0'`, `python_full_version >= '3.13.0rc1'`, `python_full_version > '3.13.0b2'`,
		`python_full_version == '3.12.0'`, `python_full_version >= '3.12.0+local'`, `python_full_version <= '3.12.0'`, `python_full_version == '3.12.0+local'`,
		`sys_platform == 'win32'`, `sys_platform != 'win32' and python_version == '3.10'`, `sys.platform == 'linux'`, `os.name == 'posix'`, `os_name == "nt"`,
		`sys_platform < 'win32'`, `sys_platform <= 'linux'`, `sys_platform >= 'm'`, `sys_platform ~= 'linux'`, `sys_platform === 'linux'`, `'linux' in sys_platform`,
		`sys_platform in 'linux linux2'`, `platform.machine == 'x86_64'`, `platform_machine != "arm64"`, `platform.version == 'x'`, `platform_version >= '1'`,
		`platform_version ~= '1.0'`, `platform_release >= '5.0'`, `platform_release < '2025Server'`, `platform_release ~= '5.10'`, `python_implementation == 'CPython'`,
		`platform.python_implementation == 'PyPy'`, `platform_python_implementation != 'PyPy'`, `implementation_name == 'cpython'`, `implementation_version >= '3.10'`,
		`extra == 'foo-bar'`, `extra == "FOO__BAR"`, `'foo' in extra`, `extra != ''`, `extra`, `'a' in extras`, `'g' in dependency_groups`,
		`os_name == 'nt' or os_name == 'posix' and python_version < '3.11'`, `(os_name == 'nt' or os_name == 'posix') and python_version < '3.11'`,
		`os_name == 'posix' and (python_version < '3.11' or (sys_platform == 'linux' and python_version >= '3.13'))`, `((os_name=='posix'))`,
		`os_name=='posix'and python_version>='3'`, `'linux'in sys_platform`, `os_name == sys_platform`, `'3.10' == '3.10'`, `os_name`, `os_name ==`, `== 'x'`, ``,
		`os_name = 'posix'`, `os_name == posix`, `os_name == 'posix`, `os_name == 'posix' and`, `os_name == 'posix' or and os_name == 'nt'`, `(os_name == 'posix'`,
		`os_name == 'posix')`, `os_name == 'a' 'b'`, `os_name not 'x'`, `os_name notin 'x'`, `os_names == 'x'`, `platform.system == 'Linux'`, `OS_NAME == 'x'`,
		`os_name == 'posix' AND os_name == 'posix'`, `os_name == 'posix' # x`, `python_version < '=3.12'`, `python_version == '=3.12'`, `python_version < 'abc'`,
		`python_version == ' 3.12 '`, `python_version == 'v3.12'`, `python_version == '3.12.0'`, `os_name == "it's"`, `os_name == 'say "x"'`, `os_name == 'é'`,
		`()`, strings.Repeat("(", 40) + `os_name == 'posix'` + strings.Repeat(")", 40),
	}
}

func requirementTable() []string {
	return []string{
		"a", "A", "a.b_c-d", "a-", "-a", ".a", "a.", "9", "", " ", "a b", "é", "aé", "a==1", "a == 1", "a ==1.0 , <2", "a>=1,", "a,", "a>=1 <2", "a>=1;", "a;", "a (>=1)", "a (>=1", "a >=1)",
		"a ()", "a(>=1,<2)", "a==1.*", "a!=1.*", "a>=1.*", "a~=1.*", "a~=1", "a~=1.0", "a==1.0a1.*", "a==1+x", "a>=1+x", "a<1+x.y", "a===x", "a===", "a=== 1,<2", "a===é", "a=1", "a=>1", "a==", "a==x",
		"a==1.0.post1", "a==1-1", "a>=1.0.dev", "a==v1", "a==1!2", "a[b]", "a[b,c]", "a[b c]", "a[b,]", "a[,b]", "a[", "a[b", "a[]", "a [b] >=1", "a[b-]", "a[B.c]==1 ; os_name == 'x'",
		"a @ https://x/y.whl", "a@https://x", "a @", "a @ ", "a@ git+ssh://git@x/y.git@v1 ; os_name == 'posix'", "a @ https://x;os_name=='x'", "a @ https://x y", "a @ https://x #y", "a @ ../x",
		"a[b] @ file:///x", "a @ https://x ;", "https://x/y.whl", "git+https://x/y", "./x", "a==1 ; python_version < '3'", "a==1;python_version<'3'", "a==1 # x", "a --hash=sha256:00", "a\tb", "a\t==\t1\t;\tos_name\t==\t'x'",
		"a==1\\", "a==${X}", "a == 1 ; extra == 'x' and extra == 'y'", "a==1.0,==1.0.0", "a==1,!=1",
	}
}
