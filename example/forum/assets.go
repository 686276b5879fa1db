package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed static
var assetFiles embed.FS

// assets are the static files by name, with the version that their address carries.
var assets = readAssets()

type asset struct {
	content []byte
	version string
}

func readAssets() map[string]asset {
	files, err := assetFiles.ReadDir("static")
	if err != nil {
		panic(err)
	}
	all := make(map[string]asset)
	for _, f := range files {
		content, err := assetFiles.ReadFile("static/" + f.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		all[f.Name()] = asset{content, hex.EncodeToString(sum[:6])}
	}
	return all
}

// assetURL returns an address that changes with the content, so that browsers may keep the file for ever.
func assetURL(name string) string { return "/static/" + name + "?v=" + assets[name].version }

// serveAsset serves a static file. It uses no session.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.URL.Path]
	if !ok {
		page(noSuchPage).ServeHTTP(w, r)
		return
	}
	keep := "public, no-cache"
	if r.URL.Query().Get("v") == a.version {
		keep = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Etag", `"`+a.version+`"`)
	http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(a.content))
}
