package command_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot/command"
)

// Anybody may comment, and comments are read before it is asked who wrote them.
// What makes a reader of Markdown take a time that grows with the square of the
// length takes minutes here where it is not kept from that.
func TestParse_longAndHostile(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{
		"[", "![", "[a](", "[a][b", "[x", "[]()", "*a ", "**a*", "_a ", "~~a", "`a``b", "` `` ```", "&amp",
		"<a", "<a href='", "<kbd>", "</q>", "<kbd></q>", "<!--", "<!-- -->", "<!-- --><pre></pre>", "<?", "<![CDATA[", "<div>\n", "<div hidden>\n\n",
		"> ", ">", "- ", "1. ", "* a\n", "   - ", ">\n", "-\n", "#", "***", "| a ", "a | b\n--|--\n", "[^1]: x\n", "[a]: b\n",
		"x\n", "\\", "\t", "~~~\n", "``` \n", "$$", "a\n=\n", "/rebase\n", "/rebase <!-- -->",
	} {
		for range 4 {
			body := "/help\n\n" + strings.Repeat(unit, (64<<10)/len(unit))
			if got := command.Parse(body); len(got) > command.Most+1 {
				t.Errorf("%q: %d commands", unit, len(got))
			}
		}
	}
}
