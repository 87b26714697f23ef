package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy is the pages' Content-Security-Policy: nothing but the style sheet
// and the icon of the same listener, no script, no frame, forms to itself.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// plainHeaders sets what every answer of both listeners has.
func plainHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// guarded lets only requests through whose Host is an IP address, localhost or
// one of hosts. A page of a stranger whose name is made to point here (DNS
// rebinding) has that name as its host. An address cannot be pointed elsewhere.
func guarded(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowedHost(hosts, r.Host) {
			say(w, http.StatusMisdirectedRequest, "This server answers under localhost, its IP address, and the host names that its configuration allows for the status pages; this is none of them.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowedHost(hosts []string, host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	// A zone may be any text, so an address with one can be somebody's name.
	if addr, err := netip.ParseAddr(bare); err == nil && addr.Zone() == "" || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) })
}
