package service_test

import (
	"context"
	"fmt"

	"github.com/lazysession/session/service"
)

// Handlers ask for a Mailer. The function main decides which one they get.
type Mailer interface{ Send(to string) string }

type smtp struct{ host string }

func (s *smtp) Send(to string) string { return "mail for " + to + " by " + s.host }
func (s *smtp) Close() error          { fmt.Println("hung up on", s.host); return nil }

func Example() {
	reg := service.NewRegistry(nil)
	if err := service.Provide[Mailer](reg, &smtp{"mx1"}); err != nil {
		fmt.Println(err)
	}
	ctx := service.NewContext(context.Background(), reg)

	mailer, err := service.Query[Mailer](ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mailer.Send("ann"))
	fmt.Println(reg.Close(ctx))
	// Output:
	// mail for ann by mx1
	// hung up on mx1
	// <nil>
}

// Names tell two services of one type apart.
func ExampleProvideNamed() {
	reg := service.NewRegistry(nil)
	_ = service.ProvideNamed[Mailer](reg, "bulk", &smtp{"mx-slow"})
	_ = service.ProvideNamed[Mailer](reg, "alerts", &smtp{"mx-fast"})
	ctx := service.NewContext(context.Background(), reg)

	mailer, _ := service.QueryNamed[Mailer](ctx, "alerts")
	fmt.Println(mailer.Send("ann"))
	_, err := service.Query[Mailer](ctx)
	fmt.Println(err)
	// Output:
	// mail for ann by mx-fast
	// service: not provided: service_test.Mailer
}

// A builder runs at the first query. It asks for what it needs with its context.
func ExampleProvideFunc() {
	reg := service.NewRegistry(nil)
	_ = service.ProvideFunc(reg, func(ctx context.Context) (Mailer, error) {
		host, err := service.QueryNamed[string](ctx, "mail host")
		if err != nil {
			return nil, err
		}
		fmt.Println("dialling", host)
		return &smtp{host}, nil
	})
	_ = service.ProvideNamed(reg, "mail host", "mx1")
	ctx := service.NewContext(context.Background(), reg)

	for _, to := range []string{"ann", "bob"} {
		mailer, _ := service.Query[Mailer](ctx)
		fmt.Println(mailer.Send(to))
	}
	// Output:
	// dialling mx1
	// mail for ann by mx1
	// mail for bob by mx1
}

// A tenant's registry hides some of the application's services and shares the others.
func ExampleNewRegistry_parent() {
	app := service.NewRegistry(nil)
	_ = service.Provide[Mailer](app, &smtp{"mx1"})
	_ = service.ProvideNamed(app, "greeting", "hello")

	tenant := service.NewRegistry(app)
	_ = service.ProvideNamed(tenant, "greeting", "ahoy")
	ctx := service.NewContext(context.Background(), tenant)

	greeting, _ := service.QueryNamed[string](ctx, "greeting")
	mailer, _ := service.Query[Mailer](ctx)
	fmt.Println(greeting+":", mailer.Send("ann"))
	// Output: ahoy: mail for ann by mx1
}
