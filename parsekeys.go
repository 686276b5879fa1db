package session

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ParseKeys reads signing keys for Config.Keys from a text, that of a file or of an environment variable, say: each in
// base64 (of either alphabet, padded or not) or in hexadecimal, one a line or separated by commas, newest first. Blank
// lines and the spaces around a key are ignored. This makes one:
//
//	openssl rand -base64 32
//
// A key of less than 32 bytes, a key in neither and a text without a key are errors, all of them told at once. They
// never show a key.
func ParseKeys(text string) ([][]byte, error) {
	var keys [][]byte
	var errs []error
	for field := range strings.FieldsFuncSeq(text, betweenKeys) {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		key, err := parseKey(field)
		keys = append(keys, key)
		if err != nil {
			errs = append(errs, fmt.Errorf("session: key %d %w", len(keys), err))
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("session: no key in the text: " + makeKey)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return keys, nil
}

// makeKey ends every error about a key that is missing or unfit.
const makeKey = "openssl rand -base64 32 makes one"

func betweenKeys(r rune) bool { return r == '\n' || r == '\r' || r == ',' }

// parseKey returns the bytes of a key. Its errors must not quote the text: they end up in logs.
func parseKey(text string) ([]byte, error) {
	key, err := decodeKey(text)
	if err != nil {
		return nil, errors.New("is neither base64 nor hexadecimal: " + makeKey)
	}
	return key, checkKeyLen(key)
}

// decodeKey takes a text of nothing but hexadecimal digits for hexadecimal: one that lost a digit would else pass as
// base64. A random key in base64 is never like that.
func decodeKey(text string) ([]byte, error) {
	if strings.IndexFunc(text, notHexDigit) < 0 {
		return hex.DecodeString(text)
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}

func notHexDigit(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }

func checkKeyLen(key []byte) error {
	if len(key) < minKeyLen {
		return fmt.Errorf("has %d bytes: want at least %d; %s", len(key), minKeyLen, makeKey)
	}
	return nil
}
