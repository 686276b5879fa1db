// Package service gives handlers the services of an application, found by their Go type:
// no global variables, no long parameter lists.
//
//	func main() {
//		reg := service.NewRegistry(nil)
//		defer reg.Close(context.Background())
//		service.Provide(reg, slog.Default())
//		service.ProvideFunc(reg, func(ctx context.Context) (*sql.DB, error) {
//			return sql.Open("pgx", os.Getenv("DATABASE_URL"))
//		})
//		ctx := service.NewContext(context.Background(), reg)
//		db, err := service.Query[*sql.DB](ctx)
//		fmt.Println(db, err)
//	}
//
// # Types and names
//
// The type asked for must be the type provided: a *SMTP provided as *SMTP is not found as a
// Mailer. Say the interface to provide it as one: Provide[Mailer](reg, smtp). Where there are
// two services of one type, names tell them apart.
//
// # Scopes
//
// A registry with a parent adds to it, or hides what the parent has: a query is answered by the
// nearest registry that has the type and name. A parent never asks its children.
//
// # Services built when needed
//
// [ProvideFunc] registers a builder, which runs at the first query. A builder asks for what it
// needs with the context it is given; builders that need each other are reported as [ErrCycle].
// Whatever was asked for while building was complete before, so [Registry.Close], which goes
// from the newest to the oldest, closes a service before the services it uses.
//
// # Promises
//
// Once a service is built, a query for it takes no lock and allocates nothing. All functions may
// be called by many goroutines at once. The package starts no goroutine.
package service
