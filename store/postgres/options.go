package postgres

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Options are the settings of a [Store]. The zero Options, and nil, mean the defaults.
type Options struct {
	// Schema is the database schema of the tables, which must exist unless it is the default. Defaults to "public".
	Schema string

	// Prefix begins the names of the tables and indexes, so that one schema can have several stores. It has at most 30
	// lower-case letters, digits and underscores. Defaults to "session".
	Prefix string

	// Listen is a connection string for the one connection on which events arrive, also those of this server's renewals
	// and ends. Behind a pooler it has to lead to the database server itself. Defaults to the pool's own settings.
	Listen string

	// NoListen turns off the events of other servers, and the connection for them. This server's own events are then
	// reported when its commits return. Two simultaneous events of one session may come in either order.
	NoListen bool

	// Logger receives messages for operators. Defaults to slog.Default().
	Logger *slog.Logger
}

// settings are checked Options.
type settings struct {
	schema, prefix string
	sessions       string // quoted names of tables
	retired        string
	listen         string
	noListen       bool
	log            *slog.Logger
}

var prefixForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

func (o *Options) settings() (*settings, error) {
	if o == nil {
		o = &Options{}
	}
	s := &settings{schema: o.Schema, prefix: o.Prefix, listen: o.Listen, noListen: o.NoListen, log: o.Logger}
	if s.schema == "" {
		s.schema = "public"
	}
	if s.prefix == "" {
		s.prefix = "session"
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.sessions, s.retired = s.table("sessions"), s.table("retired")
	return s, errors.Join(s.checkSchema(), s.checkPrefix())
}

func (s *settings) checkSchema() error {
	if len(s.schema) > 63 || strings.ContainsRune(s.schema, 0) {
		return fmt.Errorf("postgres: schema %q: want at most 63 bytes without NUL", s.schema)
	}
	return nil
}

func (s *settings) checkPrefix() error {
	if !prefixForm.MatchString(s.prefix) {
		return fmt.Errorf("postgres: prefix %q: want at most 30 lower-case letters, digits and underscores", s.prefix)
	}
	return nil
}

// table returns the quoted name of a table.
func (s *settings) table(name string) string {
	return pgx.Identifier{s.schema, s.prefix + "_" + name}.Sanitize()
}

// fill puts the names of tables into SQL: {{sessions}}, {{retired}} and so on, and {{name}} for the prefix.
func (s *settings) fill(sql string) string {
	return strings.NewReplacer(
		"{{sessions}}", s.sessions,
		"{{retired}}", s.retired,
		"{{migrations}}", s.table("migrations"),
		"{{name}}", s.prefix,
	).Replace(sql)
}

// channel returns the name of the channel for notifications. Each schema and prefix has its own. PostgreSQL refuses
// names of more than 63 bytes.
func (s *settings) channel() string {
	const longest = 63
	name := s.schema + "." + s.prefix + ".events"
	if len(name) > longest {
		name = fmt.Sprintf("%s.%x", s.prefix, sha256.Sum224([]byte(name)))[:longest]
	}
	return name
}
