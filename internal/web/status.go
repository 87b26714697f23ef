package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// The pages' templates, style sheet and icons.
//
//go:embed page
var files embed.FS

// pages serves the status pages.
type pages struct {
	board     *board
	templates *template.Template
	style     []byte
	version   string
	config    string // file
	log       *slog.Logger
}

// frame is what every page has.
type frame struct {
	Title   string
	Here    string // which item of the navigation this is
	Style   string // path of the style sheet
	Icon    string
	Version string
	Picture *picture
	Dead    int // jobs given up
	Body    any
}

// statusRoutes is the handler of the status listener.
func (s *Server) statusRoutes(o Options, b *board) (http.Handler, error) {
	style, err := files.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	p := &pages{board: b, style: style, version: shortIDs(o.Version), config: o.ConfigFile, log: o.Log}
	p.templates, err = template.New("").Funcs(template.FuncMap{
		"link":    link,
		"short":   short,
		"count":   count,
		"label":   kindLabel,
		"late":    late,
		"pull":    pullLabel,
		"faults":  faults,
		"command": p.command,
		"moment":  func(p *picture, at time.Time) moment { return moment{At: at, Now: p.At} },
		"jobrows": func(p *picture, jobs []job) jobRows { return jobRows{p, jobs} },
	}).ParseFS(files, "page/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages' templates: %w", err)
	}

	machines := http.NewServeMux() // asked under whatever name this has in their network
	machines.HandleFunc("GET /healthz", s.life.healthz)
	machines.HandleFunc("GET /readyz", s.life.readyz)
	machines.Handle("GET /metrics", o.Metrics.Handler())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /repositories/{forge}/{owner}/{name}", p.repository)
	mux.HandleFunc("GET /jobs", p.jobs)
	mux.HandleFunc("GET /api/status.json", p.statusJSON)
	mux.HandleFunc("GET /api/jobs.json", p.jobsJSON)
	mux.HandleFunc("GET /style.css", p.styleSheet)
	mux.HandleFunc("GET /icon/good.svg", icon("page/good.svg"))
	mux.HandleFunc("GET /icon/bad.svg", icon("page/bad.svg"))
	mux.HandleFunc("GET /", p.nowhere)
	machines.Handle("/", guarded(o.Hosts, mux))
	return plainHeaders(machines), nil
}

// command is a command of odyssey-bot that works on the store of this server,
// for a shell.
func (p *pages) command(words ...any) string {
	line := "odyssey-bot"
	for _, w := range words {
		line += fmt.Sprint(" ", w)
	}
	if p.config != "" {
		line += " --config " + quoted(p.config)
	}
	return line
}

// quoted is a word for a shell.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@,=") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// kindLabel is a job's kind in words.
func kindLabel(kind string) string {
	switch kind {
	case mergesKind:
		return "Merges"
	case commandsKind:
		return "Comment commands"
	case "":
		return "Run"
	}
	return public(strings.ToUpper(kind[:1]) + kind[1:])
}

func (p *pages) styleSheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=31536000, immutable") // its address has its digest
	_, _ = w.Write(p.style)
}

func icon(file string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=86400")
		http.ServeFileFS(w, r, files, file)
	}
}

// render answers with a page. It is made in memory first, so that a page is
// whole or not there.
func (p *pages) render(w http.ResponseWriter, status int, name string, f frame) {
	sum := sha256.Sum256(p.style)
	f.Style = "/style.css?v=" + hex.EncodeToString(sum[:6])
	f.Version = p.version
	f.Icon = "/icon/good.svg"
	if f.Picture != nil {
		for _, g := range groups(f.Picture) {
			if g.Dead {
				f.Dead = g.Count
			}
		}
		if f.Dead > 0 || (len(f.Picture.Rows) > 0 && f.Picture.Rows[0].State == stateFailing) {
			f.Icon = "/icon/bad.svg"
		}
	}
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, f); err != nil {
		p.log.Error("page not made", "err", err)
		say(w, http.StatusInternalServerError, "This page could not be made; the log says why.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// look returns the picture for a request, or answers it when there is none.
func (p *pages) look(w http.ResponseWriter, r *http.Request) *picture {
	picture := p.board.look(r.Context())
	if picture == nil {
		w.Header().Set("Retry-After", retryAfter)
		p.render(w, http.StatusServiceUnavailable, "unavailable.html", frame{Title: "No answer from the store"})
	}
	return picture
}
