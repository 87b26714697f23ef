package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const rowsOnPage = 100

// overview is the body of the first page.
type overview struct {
	Tallies []tally
	Total   int
	Query   string
	State   string
	Forge   string
	Forges  []string
	Rows    []row
	Found   int // rows before they were cut into pages
	Page    int
	Pages   int
	Back    string // address of the page before, "" on the first
	On      string // of the next one, "" on the last
}

// tally is how many repositories are in a state.
type tally struct {
	State  state
	Count  int
	Link   string
	Active bool
}

func (p *pages) overview(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		p.statusJSON(w, r)
		return
	}
	picture := p.look(w, r)
	if picture == nil {
		return
	}
	p.render(w, http.StatusOK, "overview.html", frame{
		Title: "Repositories", Here: "repositories", Picture: picture, Body: makeOverview(picture, r.URL.Query()),
	})
}

// makeOverview picks the rows that the query asks for: q a part of the name,
// state, forge, page.
func makeOverview(p *picture, query url.Values) overview {
	o := overview{
		Query: clip(query.Get("q"), 200), State: query.Get("state"), Forge: query.Get("forge"),
		Total: len(p.Rows), Page: 1,
	}
	counts := map[state]int{}
	var found []row
	needle := strings.ToLower(strings.TrimSpace(o.Query))
	for _, r := range p.Rows {
		if !slices.Contains(o.Forges, r.Forge) {
			o.Forges = append(o.Forges, r.Forge)
		}
		if !strings.Contains(strings.ToLower(r.Name), needle) || (o.Forge != "" && r.Forge != o.Forge) {
			continue
		}
		counts[r.State]++
		if o.State == "" || string(r.State) == o.State {
			found = append(found, r)
		}
	}
	slices.Sort(o.Forges)
	for _, s := range states {
		t := tally{State: s, Count: counts[s], Active: o.State == string(s), Link: o.link(string(s), 1)}
		if t.Active {
			t.Link = o.link("", 1)
		}
		if t.Count > 0 || t.Active {
			o.Tallies = append(o.Tallies, t)
		}
	}
	o.Found = len(found)
	o.Pages = max(1, (len(found)+rowsOnPage-1)/rowsOnPage)
	if n, err := strconv.Atoi(query.Get("page")); err == nil {
		o.Page = min(max(n, 1), o.Pages)
	}
	o.Rows = found[(o.Page-1)*rowsOnPage : min(o.Page*rowsOnPage, len(found))]
	if o.Page > 1 {
		o.Back = o.link(o.State, o.Page-1)
	}
	if o.Page < o.Pages {
		o.On = o.link(o.State, o.Page+1)
	}
	return o
}

// link is the address of the overview with the same search.
func (o *overview) link(state string, page int) string {
	v := url.Values{}
	for key, value := range map[string]string{"q": o.Query, "forge": o.Forge, "state": state} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if page > 1 {
		v.Set("page", strconv.Itoa(page))
	}
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

func (p *pages) repository(w http.ResponseWriter, r *http.Request) {
	picture := p.look(w, r)
	if picture == nil {
		return
	}
	name := r.PathValue("owner") + "/" + r.PathValue("name")
	at := slices.IndexFunc(picture.Rows, func(row row) bool { return row.Forge == r.PathValue("forge") && row.Name == name })
	if at < 0 {
		p.render(w, http.StatusNotFound, "unknown.html", frame{Title: "Not watched", Here: "repositories", Picture: picture})
		return
	}
	row := picture.Rows[at]
	if wantsJSON(r) {
		writeJSON(w, rowJSON(picture, row))
		return
	}
	p.render(w, http.StatusOK, "repository.html", frame{
		Title: row.Name, Here: "repositories", Picture: picture, Body: p.makeDetail(picture, row),
	})
}

// nowhere answers for addresses that there are none of.
func (p *pages) nowhere(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) || strings.HasPrefix(r.URL.Path, "/api/") {
		say(w, http.StatusNotFound, "there is no such address")
		return
	}
	p.render(w, http.StatusNotFound, "nowhere.html", frame{Title: "No such page", Picture: p.board.look(r.Context())})
}

func (p *pages) jobs(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		p.jobsJSON(w, r)
		return
	}
	picture := p.look(w, r)
	if picture == nil {
		return
	}
	p.render(w, http.StatusOK, "jobs.html", frame{Title: "Jobs", Here: "jobs", Picture: picture, Body: groups(picture)})
}
