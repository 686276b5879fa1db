package main

import (
	"strings"
)

const unknownDevice = "an unknown device"

// browsers and systems are looked for in this order, for many claim to be others too: Edge says Chrome, Chrome says
// Safari, and Android says Linux.
var (
	browsers = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"},
		{"CrOS", "ChromeOS"}, {"Mac OS X", "Mac"}, {"Linux", "Linux"},
	}
)

// deviceName returns a short name of the browser and the system that a User-Agent speaks of: "Firefox on Linux".
func deviceName(userAgent string) string {
	browser, system := firstOf(browsers, userAgent), firstOf(systems, userAgent)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "" || system != "":
		return browser + system
	}
	return productName(userAgent)
}

func firstOf(names [][2]string, userAgent string) string {
	for _, n := range names {
		if strings.Contains(userAgent, n[0]) {
			return n[1]
		}
	}
	return ""
}

// productName returns the first word of a User-Agent, without the version: "curl".
func productName(userAgent string) string {
	product, _, _ := strings.Cut(userAgent, "/")
	if name, wrong := cleanName(product); wrong == "" {
		return name
	}
	return unknownDevice
}
