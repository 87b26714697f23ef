package pyliteral

import (
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/runenames"
)

const (
	cjk           = "CJK UNIFIED IDEOGRAPH-"
	hangul        = "HANGUL SYLLABLE "
	hangulFirst   = 0xac00
	longestName   = 256
	lastNamedRune = 0x2ffff // above are tags and variation selectors
	firstTag      = 0xe0000
	lastTag       = 0xe01ff
)

// runeNamed returns the character of a Unicode name, in any case.
func runeNamed(name string) (rune, bool) {
	if number, ok := strings.CutPrefix(name, cjk); ok {
		return ideograph(number)
	}
	if len(name) > longestName {
		return 0, false
	}
	r, ok := byName()[strings.ToUpper(name)]
	return r, ok
}

func ideograph(number string) (rune, bool) {
	value, err := strconv.ParseUint(number, 16, 32)
	isCompatible := value >= 0xf900 && value < 0xfb00
	if err != nil || len(number) < 4 || len(number) > 5 || number != strings.ToUpper(number) || isCompatible {
		return 0, false
	}
	r := rune(value) //nolint:gosec // at most five digits
	return r, unicode.Is(unicode.Unified_Ideograph, r)
}

// byName turns the table of names round when a file first asks for one.
//
//nolint:gochecknoglobals // as constant as the table
var byName = sync.OnceValue(func() map[string]rune {
	names := make(map[string]rune, 50_000)
	add := func(first, last rune) {
		for r := first; r <= last; r++ {
			if name := runenames.Name(r); name != "" && name[0] != '<' {
				names[name] = r
			}
		}
	}
	add(0, lastNamedRune)
	add(firstTag, lastTag)
	r := rune(hangulFirst)
	for _, l := range strings.Split("G GG N D DD R M B BB S SS  J JJ C K T P H", " ") {
		for _, v := range strings.Split("A AE YA YAE EO E YEO YE O WA WAE OE YO U WEO WE WI YU EU YI I", " ") {
			for _, t := range strings.Split(" G GG GS N NJ NH D L LG LM LB LS LT LP LH M B BS S SS NG J C K T P H", " ") {
				names[hangul+l+v+t] = r
				r++
			}
		}
	}
	return names
})
