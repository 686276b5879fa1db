package promises_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lazysession/session"

// golist returns what go list prints, a line each.
func golist(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %q: %v", args, err)
	}
	return strings.Fields(string(out))
}

// dependencies returns the packages that one is built from, but for itself and the standard library's.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	deps := golist(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg)
	return slices.DeleteFunc(deps, func(dep string) bool { return dep == pkg })
}

// A program with sessions gets one dependency: the package that signs cookies.
func TestPackageStandsOnFew(t *testing.T) {
	want := []string{
		"github.com/gorilla/securecookie",
		module + "/internal/ctxkey",
		module + "/internal/jsonvalue",
		module + "/internal/signed",
		module + "/internal/usage",
		module + "/service",
		module + "/store",
	}
	got := dependencies(t, module)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("dependencies: got %q, want %q", got, want)
	}
}

// The contract of stores has no dependencies, so that a store needs none to implement it.
func TestStoreContractStandsAlone(t *testing.T) {
	if got := dependencies(t, module+"/store"); len(got) != 0 {
		t.Errorf("dependencies of store: got %q, want none", got)
	}
}

// Data of connections is for any program, so it depends on nothing, and not on sessions.
func TestConnectionsStandAlone(t *testing.T) {
	if got := dependencies(t, module+"/slot"); len(got) != 0 {
		t.Errorf("dependencies of slot: got %q, want none", got)
	}
	if got, want := dependencies(t, module+"/conn"), []string{module + "/slot"}; !slices.Equal(got, want) {
		t.Errorf("dependencies of conn: got %q, want %q", got, want)
	}
}

// A store depends on the contract and its driver. If it depended on the Manager, the two could not change separately.
// The suite that proves stores has one package more beside it, which runs the rules and stands alone.
func TestStoresKnowTheContractOnly(t *testing.T) {
	stores := golist(t, module+"/store/...")
	if len(stores) < 2 {
		t.Fatalf("stores: got %q, want some", stores)
	}
	const suite = module + "/internal/suite"
	if got := dependencies(t, suite); len(got) != 0 {
		t.Errorf("dependencies of %s: got %q, want none", suite, got)
	}
	for _, pkg := range stores {
		for _, dep := range dependencies(t, pkg) {
			ours := dep == module || strings.HasPrefix(dep, module+"/")
			allowed := dep == module+"/store" || strings.HasPrefix(dep, module+"/store/") ||
				dep == suite && strings.HasSuffix(pkg, "/storetest")
			if ours && !allowed {
				t.Errorf("%s stands on %s: want nothing of this module but the contract", pkg, dep)
			}
		}
	}
}
