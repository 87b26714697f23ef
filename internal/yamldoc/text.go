package yamldoc

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const byteOrderMark = "\ufeff"

func checkSize(path string, data []byte) error {
	if len(data) > MaxSize {
		return &Error{Path: path, Msg: fmt.Sprintf("is larger than %d KiB", MaxSize>>10)}
	}
	return nil
}

// checkText refuses what is no text file before the YAML parser sees it.
func checkText(path string, data []byte) error {
	if offset, msg, hint := badCharacter(data); msg != "" {
		return &Error{Path: path, Line: lineOf(data, offset), Msg: msg, Hint: strings.ReplaceAll(hint, "FILE", path)}
	}
	if at := marker.FindIndex(data); at != nil {
		return &Error{
			Path: path, Line: lineOf(data, at[0]), Msg: "has a merge conflict marker",
			Hint: "resolve the conflict first; a lock file is then made anew by lock-repos",
		}
	}
	if at := directive.FindIndex(data); at != nil {
		return &Error{Path: path, Line: lineOf(data, at[0]), Msg: "has a YAML directive", Hint: "remove the line"}
	}
	return nil
}

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// marker needs the line's first column. There a block scalar has no text, so
// a heading underlined with ======= inside one is no conflict.
var marker = regexp.MustCompile(`(?m)^(<{7}|={7}|>{7}|\|{7})( .*)?$`)

// directive matches any but %YAML. The parser compares each %TAG with all before
// it, which takes seconds on a file full of them, and no file here needs one.
var directive = regexp.MustCompile(`(?m)^%[^Y]`)

// badCharacter finds the first character that has no place in a text file.
// YAML 1.1 takes U+0085, U+2028 and U+2029 for line ends, which editors and
// diffs do not: with them a comment can hide keys.
func badCharacter(data []byte) (offset int, msg, hint string) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, "is not UTF-8", "save it as UTF-8"
		case r == '\n', r == '\t':
		case r == 0:
			return i, "is a binary file: it has a NUL byte", ""
		case r == '\r':
			return i, "has CRLF line ends", `convert it, for example: sed -i 's/\r$//' FILE`
		case r == 0x85, r == 0x2028, r == 0x2029:
			return i, fmt.Sprintf("has the line separator %U", r), "write a plain line end, or \\n in double quotes"
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0xfeff:
			return i, fmt.Sprintf("has the control character %U", r), "remove it"
		}
		i += size
	}
	return 0, "", ""
}
