package testsuite

import (
	"bytes"
	_ "embed" // for pages.html
	"html/template"
	"net/http"
	"strings"
	"time"
)

// The pages stand for the vendor's console. Each execution has three, to which its platformUrl,
// liveViewUrl and recordingUrl lead. A browser sends no key, so they need none.

// pagesWithoutNetwork is the address of the pages of an API that listens nowhere.
const pagesWithoutNetwork = "https://platform.asteroid.ai"

const (
	liveView      = "live"
	recordingView = "recording"
)

//go:embed pages.html
var pagesHTML string

var pageTemplate = template.Must(template.New("page").Parse(pagesHTML))

// pageURL returns the address of the execution's page.
func (e *execution) pageURL() string { return e.service.pages + "/executions/" + e.id }

func (e *execution) viewURL(view string) string { return e.pageURL() + "/" + view }

// pageView is what pages.html shows: an execution, or why there is none.
type pageView struct {
	Title     string
	View      string // empty, liveView or recordingView
	Refresh   int    // in seconds, 0 for never
	Problem   string // without an execution
	Execution *executionView
}

// withPages serves the pages, and everything else by next.
func (s *service) withPages(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, view := range map[string]string{"": "", "/" + liveView: liveView, "/" + recordingView: recordingView} {
		mux.HandleFunc("GET /executions/{executionId}"+pattern, func(w http.ResponseWriter, r *http.Request) { s.servePage(w, r, view) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			next.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// servePage shows one view of an execution.
func (s *service) servePage(w http.ResponseWriter, r *http.Request, view string) {
	page, status := pageView{Title: "No such page", View: view}, http.StatusNotFound
	s.locked(func(now time.Time) reply {
		e := s.executions[strings.ToLower(r.PathValue("executionId"))]
		switch {
		case e == nil || e.deleted || now.Before(e.createdAt.Add(s.readDelay)):
			page.Problem = "No execution has this id."
		case view == recordingView && !e.recorded():
			page.Problem = "The execution has no recording. One exists once an execution that ran is terminal."
		default:
			page.Title, page.Execution, status = e.agent.name+": "+string(e.status), e.page(s.newLinker(r, now), now, view), http.StatusOK
			if !terminal(e.status) {
				page.Refresh = 2
			}
		}
		return reply{}
	})
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, page); err != nil {
		panic(err) // the views have every member that the template names
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // fails only when the client is gone
}
