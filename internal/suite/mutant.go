package suite

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A Mutant is a store or a log with one mistake, and the rules that it has to break, between spaces.
type Mutant struct{ Name, Breaks string }

// chosen is the environment variable that names the mutant of a process.
const chosen = "SUITE_MUTANT"

// Prove proves that a suite finds mistakes: each of its rules fails for some mutant. Mutants run in processes of their
// own, since a failed subtest fails its whole process. There TestMutant has to run the suite on the Chosen one.
func Prove(t *testing.T, rules []string, mutants []Mutant) {
	t.Helper()
	proved := map[string]bool{}
	for _, m := range mutants {
		for _, rule := range strings.Fields(m.Breaks) {
			proved[rule] = true
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			m.mustFail(t)
		})
	}
	for _, rule := range rules {
		if !proved[rule] {
			t.Errorf("no mutant breaks rule %s", rule)
		}
	}
}

func (m Mutant) mustFail(t *testing.T) {
	rules := strings.Fields(m.Breaks)
	only := "-test.run=^TestMutant$/^(" + strings.Join(rules, "|") + ")$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], only, "-test.count=1", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), chosen+"="+m.Name)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the suite passed")
	}
	for _, rule := range rules {
		if !strings.Contains(string(out), "--- FAIL: TestMutant/"+rule+" ") {
			t.Errorf("rule %s did not fail:\n%s", rule, out)
		}
	}
}

// Chosen returns which of the mutants this process is to test. In any other process it skips the test.
func Chosen(t *testing.T, mutants []Mutant) int {
	t.Helper()
	at := slices.IndexFunc(mutants, func(m Mutant) bool { return m.Name == os.Getenv(chosen) })
	if at < 0 {
		t.Skip("for Prove only")
	}
	return at
}
