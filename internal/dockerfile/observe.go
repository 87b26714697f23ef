package dockerfile

import (
	"bytes"
	"regexp"
	"strings"
	"time"
)

// Note is the comment above an instruction that says under which tag its image
// was found, and when: "# docker.io/library/python:3.12.11-slim, 2026-11-23".
type Note struct {
	Image      string // with the tag
	start, end int    // of the image and of the day
	from, to   int
}

var (
	noteImage = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9./:_-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*[A-Za-z0-9_]`)
	noteDay   = regexp.MustCompile(`\b20\d\d-[01]\d-[0-3]\d\b`)
)

// NoteOf finds the note in the comment right above the instruction of a base. A
// comment without an image or without a day after it is none.
func NoteOf(data []byte, b Base) (Note, bool) {
	for end := b.above; end > 0; {
		start := bytes.LastIndexByte(data[:end-1], '\n') + 1
		line := data[start:end]
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			break
		}
		image := noteImage.FindIndex(line)
		if image != nil {
			if day := noteDay.FindIndex(line[image[1]:]); day != nil {
				return Note{string(line[image[0]:image[1]]), start + image[0], start + image[1], start + image[1] + day[0], start + image[1] + day[1]}, true
			}
		}
		end = start
	}
	return Note{}, false
}

// Observe returns the file with another image for a base, and with a note that
// says under which tag it was found that day: in the place of the present one,
// or above the instruction when there is none and the image has no tag of its
// own.
func Observe(data []byte, b Base, image, tagged string, day time.Time) []byte {
	out := Apply(data, []Change{{b, image}})
	today := day.UTC().Format(time.DateOnly)
	if n, is := NoteOf(data, b); is {
		return bytes.Join([][]byte{out[:n.start], []byte(tagged), out[n.end:n.from], []byte(today), out[n.to:]}, nil)
	}
	if name, _, _ := strings.Cut(image, "@"); strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return out
	}
	lineEnd := "\n"
	if n := bytes.IndexByte(data, '\n'); n > 0 && data[n-1] == '\r' {
		lineEnd = "\r\n"
	}
	return bytes.Join([][]byte{out[:b.above], []byte("# " + tagged + ", " + today + lineEnd), out[b.above:]}, nil)
}
