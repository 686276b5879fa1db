package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// wellFormedOnly refuses addresses that contain a NUL or invalid UTF-8, which PostgreSQL can't store. parseForm
// does the same for forms.
func wellFormedOnly(next http.Handler) http.Handler {
	malformed := page(func(http.ResponseWriter, *http.Request) error {
		return badRequest("This address contains characters that are not valid text.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isMalformed(r.URL.Path) || !areWellFormed(r.URL.Query()) {
			malformed.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func areWellFormed(v url.Values) bool {
	for name, texts := range v {
		if isMalformed(name) || slices.ContainsFunc(texts, isMalformed) {
			return false
		}
	}
	return true
}

// isMalformed reports whether a text is not UTF-8 or has a NUL in it.
func isMalformed(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsRune(text, 0)
}
