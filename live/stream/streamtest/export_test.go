package streamtest

import "time"

// BeImpatient shortens what a rule may take. It is for logs that hang or leave things out on purpose.
func BeImpatient() { patience = 3 * time.Second }

// RuleNames returns the names of all rules, with those about archives.
func RuleNames() []string {
	var names []string
	for _, r := range append(allRules(), archiveRules...) {
		names = append(names, r.name)
	}
	return names
}
