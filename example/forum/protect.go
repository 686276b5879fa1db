package main

import "net/http"

// policy lets pages load this site's own style sheet, scripts and pictures, open sockets to it and send forms to it.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// sameSiteOnly refuses forms that other sites send in a visitor's name (CSRF). The cookie's SameSite=Lax refuses most
// of them as well; this also protects the login, where there is no cookie yet.
func sameSiteOnly(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(page(crossSite))
	return protection.Handler(next)
}
