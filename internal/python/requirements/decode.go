package requirements

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// codingText is how PEP 263 names a file's encoding in a comment of its first
// two lines.
var codingText = regexp.MustCompile(`coding[:=]\s*([-\w.]+)`)

// decode returns data as text with \n line ends: by its byte order mark, else
// the encoding that a comment names, else UTF-8.
func decode(data []byte) (string, []fault) {
	decoder, err := encodingOf(data)
	if err != nil {
		return "", []fault{{1, err}}
	}
	if decoder != nil {
		if data, err = decoder.NewDecoder().Bytes(data); err != nil {
			return "", []fault{{0, fmt.Errorf("cannot be decoded: %w", err)}}
		}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	for i, r := range text {
		if problem := unfit(text, i, r); problem != nil {
			return "", []fault{{1 + strings.Count(text[:i], "\n"), problem}}
		}
	}
	return text, nil
}

// unfit says what is wrong with a character. pip ends a line at more of them
// than an editor does: something that looks like a comment would be installed.
func unfit(text string, i int, r rune) error {
	switch {
	case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
		return advise("is not UTF-8", "save the file as UTF-8")
	case r == '\v', r == '\f', 0x1c <= r && r <= 0x1e, r == 0x85, r == 0x2028, r == 0x2029:
		return advise(fmt.Sprintf("the character U+%04X, where pip ends the line and an editor may not", r), "remove it")
	case r < ' ' && r != '\t' && r != '\n', r == 0x7f:
		return advise(fmt.Sprintf("the control character U+%04X", r), "remove it")
	}
	return nil
}

func encodingOf(data []byte) (encoding.Encoding, error) {
	for _, mark := range []struct {
		bytes    string
		encoding encoding.Encoding
	}{
		{"\xff\xfe\x00\x00", utf32.UTF32(utf32.LittleEndian, utf32.ExpectBOM)},
		{"\x00\x00\xfe\xff", utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM)},
		{"\xff\xfe", unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)},
		{"\xfe\xff", unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM)},
		{"\xef\xbb\xbf", nil},
	} {
		if bytes.HasPrefix(data, []byte(mark.bytes)) {
			return mark.encoding, nil
		}
	}
	for i, line := range bytes.SplitN(data, []byte("\n"), 3) {
		if found := codingText.FindSubmatch(line); i < 2 && found != nil && line[0] == '#' {
			return encodingNamed(string(found[1]))
		}
	}
	return nil, nil
}

// encodingNamed knows the encodings that a text file in Latin letters may
// still have; nil is UTF-8.
func encodingNamed(name string) (encoding.Encoding, error) {
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
	case "utf8", "utf8sig", "ascii", "usascii":
		return nil, nil
	case "latin1", "iso88591", "l1":
		return charmap.ISO8859_1, nil
	case "latin9", "iso885915":
		return charmap.ISO8859_15, nil
	case "cp1252", "windows1252":
		return charmap.Windows1252, nil
	}
	return nil, advise(fmt.Sprintf("the encoding %q is not supported", name), "save the file as UTF-8 and take the comment out")
}
