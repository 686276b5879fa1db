package main

import "net/http"

// policy lets pages load this site's own style sheet and pictures, and send forms to this site. There is no script.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; " +
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

// sameSiteOnly refuses forms that other sites send in a visitor's name (CSRF). Browsers send most of them without a
// SameSite=Lax cookie. A login form needs no cookie, so it needs this check.
func sameSiteOnly(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(page(crossSite))
	return protection.Handler(next)
}
