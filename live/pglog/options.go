package pglog

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store/postgres"
)

// Options are the settings of a [Log]. The zero Options, and nil, mean the defaults.
type Options struct {
	// Schema is the database schema of the tables, which must exist unless it is the default. Defaults to "public".
	Schema string

	// Prefix begins the names of the tables and indexes, so that one schema can have several logs. It has at most 30
	// lower-case letters, digits and underscores. Defaults to "live".
	Prefix string

	// Sessions is the store of the sessions, if it is in the same database as the log. Then what a handler of a message
	// changes in its session is committed with the message, and otherwise just before it.
	Sessions *postgres.Store

	// Listen is a connection string for the one connection on which the hints of other servers arrive. Behind a pooler it
	// has to lead to the database server itself. Defaults to the pool's own settings.
	Listen string

	// NoListen turns that connection off. What other servers have committed is then found by polling.
	NoListen bool

	// Poll is how often the log asks how far the streams of this server have grown, in case a hint was lost. Defaults to
	// 2 s.
	Poll time.Duration

	// Keep is how long messages are kept at least, whatever a stream's Retention.Age says beyond it; they are gone after
	// twice this time. Defaults to 10 min.
	Keep time.Duration

	// Return is how long the sockets of a server that has died may stay away. Defaults to 2 min.
	Return time.Duration

	// Logger receives messages for operators. Defaults to slog.Default().
	Logger *slog.Logger
}

// settings are checked Options.
type settings struct {
	Options
	sql *strings.Replacer
}

var prefixForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

func (o *Options) settings() (*settings, error) {
	s := &settings{}
	if o != nil {
		s.Options = *o
	}
	if s.Schema == "" {
		s.Schema = "public"
	}
	if s.Prefix == "" {
		s.Prefix = "live"
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	var errs []error
	for _, d := range []struct {
		name  string
		field *time.Duration
		value time.Duration
	}{{"Poll", &s.Poll, 2 * time.Second}, {"Keep", &s.Keep, 10 * time.Minute}, {"Return", &s.Return, 2 * time.Minute}} {
		if *d.field < 0 {
			errs = append(errs, fmt.Errorf("pglog: %s %v: want 0 for the default, or more", d.name, *d.field))
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if len(s.Schema) > 63 || strings.ContainsRune(s.Schema, 0) {
		errs = append(errs, fmt.Errorf("pglog: schema %q: want at most 63 bytes without NUL", s.Schema))
	}
	if !prefixForm.MatchString(s.Prefix) {
		err := fmt.Errorf("pglog: prefix %q: want at most 30 lower-case letters, digits and underscores", s.Prefix)
		errs = append(errs, err)
	}
	names := []string{"{{name}}", s.Prefix}
	for _, table := range []string{
		"sockets", "channels", "members", "messages", "messages0", "messages1", "messages2", "turns", "nodes",
		"migrations", "commit",
	} {
		names = append(names, "{{"+table+"}}", s.table(table))
	}
	s.sql = strings.NewReplacer(names...)
	return s, errors.Join(errs...)
}

// table returns the quoted name of a table.
func (s *settings) table(name string) string {
	return pgx.Identifier{s.Schema, s.Prefix + "_" + name}.Sanitize()
}

// fill puts the names of tables into SQL: {{sockets}}, {{channels}} and so on, and {{name}} for the prefix.
func (s *settings) fill(sql string) string { return s.sql.Replace(sql) }

// place names the log among those of one database, for locks and notifications.
func (s *settings) place() string { return s.Schema + "." + s.Prefix }
