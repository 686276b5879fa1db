package service

import (
	"fmt"
	"reflect"
)

// A key identifies a service in a registry.
type key struct {
	typ  reflect.Type
	name string
}

func keyOf[T any](name string) key {
	return key{reflect.TypeFor[T](), name}
}

// String returns the name of the service in errors: *app.DB, or *app.DB "reports".
func (k key) String() string {
	if k.name == "" {
		return k.typ.String()
	}
	return fmt.Sprintf("%v %q", k.typ, k.name)
}
