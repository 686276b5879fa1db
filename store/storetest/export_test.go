package storetest

import "time"

// BeImpatient shortens the wait for events. It is for stores whose events come at once or never.
func BeImpatient() { eventPatience = time.Second }

// RuleNames returns the names of all rules.
func RuleNames() []string {
	var names []string
	for _, r := range allRules() {
		names = append(names, r.name)
	}
	return names
}
