package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// A field is a value of a row as PostgreSQL sent it, in binary format, which is read without reflection. But behind a
// pooler (default_query_exec_mode=exec) and in a batch pgx asks for text.
type field struct {
	raw    []byte
	isText bool
	types  *pgtype.Map
}

// instant reads a timestamptz. In binary it is microseconds since the year 2000.
func (f field) instant(into *store.Instant) error {
	if f.isText {
		return f.instantText(into)
	}
	const unix2000 = 946_684_800_000_000
	*into = store.Instant(binary.BigEndian.Uint64(f.raw)) + unix2000
	return nil
}

func (f field) instantText(into *store.Instant) error {
	var t pgtype.Timestamptz
	err := f.types.Scan(pgtype.TimestamptzOID, pgx.TextFormatCode, f.raw, &t)
	*into = store.InstantOf(t.Time)
	return err
}

func (f field) bigint(into *int64) (err error) {
	if f.isText {
		*into, err = strconv.ParseInt(string(f.raw), 10, 64)
		return err
	}
	*into = int64(binary.BigEndian.Uint64(f.raw))
	return nil
}

func (f field) integer(into *uint32) error {
	if f.isText {
		n, err := strconv.ParseInt(string(f.raw), 10, 32)
		*into = uint32(n)
		return err
	}
	*into = binary.BigEndian.Uint32(f.raw)
	return nil
}

func (f field) uuid(into *store.ID) error {
	if f.isText {
		var id pgtype.UUID
		err := f.types.Scan(pgtype.UUIDOID, pgx.TextFormatCode, f.raw, &id)
		*into = id.Bytes
		return err
	}
	*into = store.ID(f.raw)
	return nil
}

func (f field) boolean(into *bool) error {
	if f.isText {
		*into = string(f.raw) == "t"
		return nil
	}
	*into = f.raw[0] != 0
	return nil
}

func (f field) string(into *string) error {
	*into = string(f.raw)
	return nil
}

// jsonb reads a jsonb. In binary it is a version and the document's text.
func (f field) jsonb(into *string) error {
	if !f.isText {
		f.raw = f.raw[min(1, len(f.raw)):]
	}
	return f.string(into)
}

// digits reads hexadecimal digits.
func (f field) digits(into *[]byte) (err error) {
	*into, err = hex.AppendDecode(nil, f.raw)
	return err
}
