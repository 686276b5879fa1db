package store_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackageDocNamesAll holds that the package's page begins with the contract, and names every interface and every
// function of the package.
func TestPackageDocNamesAll(t *testing.T) {
	pkg := documentation(t)
	contract, helpers, ok := strings.Cut(pkg.Doc, "# Helpers for a store of your own")
	if !ok || !strings.Contains(contract, "# The contract") {
		t.Fatal("want the contract, then the helpers")
	}
	for _, typ := range pkg.Types {
		if _, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType); ok {
			wantLink(t, contract, typ.Name)
		}
		for _, f := range typ.Funcs { // those that return the type
			wantLink(t, helpers, f.Name)
		}
	}
	for _, f := range pkg.Funcs {
		wantLink(t, helpers, f.Name)
	}
}

func wantLink(t *testing.T, text, name string) {
	t.Helper()
	if !strings.Contains(text, "["+name+"]") {
		t.Errorf("[%s] is missing in its part of the package's documentation", name)
	}
}

func documentation(t *testing.T) *doc.Package {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(set, files, "github.com/lazysession/session/store")
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
