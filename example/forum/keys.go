package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// loadKeys reads the signing keys from a file or, without one, from the text of an environment variable.
func loadKeys(file, env string) ([][]byte, error) {
	if file == "" {
		return parseKeys(keysVariable, strings.Split(env, ","))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(file, strings.Split(string(text), "\n"))
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("%s: no keys in it", file)
	}
	return keys, err
}

// parseKeys skips empty lines and comments. Its errors say where a key is wrong, but nothing of the key.
func parseKeys(source string, lines []string) (keys [][]byte, err error) {
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, ok := decodeKey(line)
		if !ok {
			return nil, fmt.Errorf("%s: key %d is neither hex nor base64", source, i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// decodeKey tries hex first: 64 hex digits are valid base64 as well, but nobody's random base64 has no other letters.
func decodeKey(text string) (key []byte, ok bool) {
	if key, err := hex.DecodeString(text); err == nil {
		return key, true
	}
	text = strings.TrimRight(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := encoding.DecodeString(text); err == nil {
			return key, true
		}
	}
	return nil, false
}
