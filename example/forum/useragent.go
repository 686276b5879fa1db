package main

import (
	"cmp"

	"github.com/mileusna/useragent"
)

const unknownDevice = "an unknown device"

// deviceName returns a short name of the browser and the system that a User-Agent speaks of: "Firefox on Linux". It
// comes from the client, so it is checked like any other name.
func deviceName(userAgent string) string {
	agent := useragent.Parse(userAgent)
	name := agent.Name
	if on := cmp.Or(apple(agent), agent.OS); on != "" {
		name += " on " + on
	}
	if name, wrong := cleanName(name); wrong == "" {
		return name
	}
	return unknownDevice
}

// apple tells phones from tablets.
func apple(agent useragent.UserAgent) string {
	if agent.IsIOS() {
		return agent.Device
	}
	return ""
}
