// Package service gives handlers the services of an application. Handlers ask for a service by its Go type, and need
// neither global variables nor long parameter lists.
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
// A query must ask for the type that was provided: a *SMTP provided as *SMTP is not found as a Mailer. To provide it as
// a Mailer, write Provide[Mailer](reg, smtp). Names tell two services of one type apart.
//
// # Scopes
//
// A registry with a parent adds services to those of the parent, or hides them: the nearest registry that has the type
// and name answers a query. A parent never asks its children.
//
// # Services built when needed
//
// [ProvideFunc] registers a builder, which runs at the first query. A builder asks for what it needs with the context
// that it is given; if builders need each other, the query returns [ErrCycle] with their names. The services that a
// builder asked for are complete before its own, so [Registry.Close], which goes from the newest to the oldest, closes
// a service before the services it uses.
//
// # Promises
//
// A query for a service that is built takes no lock and allocates nothing. Goroutines may call all functions at the
// same time. The package starts no goroutine.
package service
