package requirements

import (
	"errors"
	"strings"
)

// splitWords splits options as Python's shlex does: by blanks, with quotes
// and backslashes as in a shell.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open := false // a word has begun, be it ''
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		case '\\':
			if i++; i == len(text) {
				return nil, errors.New("a backslash at the end")
			}
			open = true
			word.WriteByte(text[i])
		case '\'', '"':
			n, err := quotedPart(text[i:], &word)
			if err != nil {
				return nil, err
			}
			open = true
			i += n - 1
		default:
			open = true
			word.WriteByte(c)
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// quotedPart adds what stands between text's first quote and its mate to
// word, and returns the length with both.
func quotedPart(text string, word *strings.Builder) (int, error) {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == text[0]:
			return i + 1, nil
		case c == '\\' && text[0] == '"' && i+1 < len(text) && strings.IndexByte(`"\`, text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, errors.New("a quote is not closed")
}

// shellWord writes a word so that splitWords reads it back.
func shellWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"'\\") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
