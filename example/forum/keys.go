package main

import (
	"fmt"
	"os"

	"github.com/lazysession/session"
)

// loadKeys reads the signing keys from a file or, without one, from the text of an environment variable. Where there is
// neither, there are no keys.
func loadKeys(file, env string) ([][]byte, error) {
	if file == "" && env == "" {
		return nil, nil
	}
	source, text := keysVariable, env
	if file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		source, text = file, string(content)
	}
	keys, err := session.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return keys, nil
}
