package serve

import (
	"net/http"
	"net/url"
)

// sameSite refuses what a page of another site made a browser ask for. That page cannot read
// an answer, and it is not to start or to cost anything either. A link to here goes on
// working: to follow one shows a page and starts nothing.
func sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isForeign(r) && !isLink(r) {
			http.Error(w, "a page of another site asked for this: open it yourself", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isForeign reports whether a browser says that another site is behind a request, another
// port of this machine included. What has neither header is no browser, or asks without the
// power to start anything: browsers name the origin of each POST.
func isForeign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none" // none: an address that was typed, or a bookmark
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	// The scheme is not compared: TLS may end before this process.
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || u.Host != r.Host
}

// isLink reports whether a person goes to a page, in a window of its own.
func isLink(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
