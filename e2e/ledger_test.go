package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A verdict is what the counting check found.
type verdict struct {
	acknowledged int
	failed       int
	lost         int      // acknowledged and not there, or ended and there again
	wrong        []string // everything that breaks a promise
}

func (v *verdict) lose(n int, format string, args ...any) {
	v.lost += n
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

func (v *verdict) add(w verdict) {
	v.acknowledged += w.acknowledged
	v.failed += w.failed
	v.lost += w.lost
	v.wrong = append(v.wrong, w.wrong...)
}

// audit compares what was acknowledged with what a server has, and every end with what all servers have.
func audit(h *http.Client, visitors []*visitor, addresses []string) (v verdict) {
	for i, visitor := range visitors {
		v.add(visitor.audit(h, i, addresses))
		if len(v.wrong) > 10 { // servers that don't answer, say: each would take its time
			break
		}
	}
	return v
}

func (v *visitor) audit(h *http.Client, number int, addresses []string) (found verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found.acknowledged = v.added.count(acknowledged) + v.listed.count(acknowledged)
	found.failed = v.added.count(unknown) + v.listed.count(unknown)
	if v.ended == acknowledged {
		found.acknowledged++
	}
	who := fmt.Sprintf("visitor %d", number)

	for _, address := range addresses {
		dead := v.retired
		if v.ended == acknowledged {
			dead = append(dead[:len(dead):len(dead)], v.cookie)
		}
		for _, cookie := range dead {
			if got, err := look(h, address, cookie); err != nil || got.Exists {
				found.lose(1, "%s: a token that was ended or replaced: got a session %v on %s (%v)", who, got.Exists, address, err)
			}
		}
	}
	if v.ended != notTried || v.cookie == "" {
		return found
	}
	got, err := look(h, addresses[number%len(addresses)], v.cookie)
	if err != nil {
		found.lose(found.acknowledged, "%s: reading the session: %v", who, err)
		return found
	}
	v.auditAdded(who, got, &found)
	v.auditListed(who, got, &found)
	return found
}

func (v *visitor) auditAdded(who string, got content, found *verdict) {
	const prefix = "done/"
	there := make(map[int]bool)
	for name := range got.Values {
		if op, ok := strings.CutPrefix(name, prefix); ok {
			n, _ := strconv.Atoi(op)
			there[n] = true
			if v.added[n] == notTried {
				found.wrong = append(found.wrong, fmt.Sprintf("%s: value %d: there, and not by this visitor", who, n))
			}
		}
	}
	missing := 0
	for op, outcome := range v.added {
		if outcome == acknowledged && !there[op] {
			missing++
		}
	}
	if missing > 0 {
		found.lose(missing, "%s: %d acknowledged values are not there", who, missing)
	}
	for _, op := range v.never {
		if there[op] {
			found.wrong = append(found.wrong, fmt.Sprintf("%s: value %d: there, although its handler panicked", who, op))
		}
	}
	var n int
	_ = json.Unmarshal(got.Values["n"], &n) // absent is 0
	least := v.added.count(acknowledged)
	if most := least + v.added.count(unknown); n < least || n > most {
		found.wrong = append(found.wrong, fmt.Sprintf("%s: counter is %d, want %d to %d", who, n, least, most))
	}
	if n != len(there) {
		found.wrong = append(found.wrong,
			fmt.Sprintf("%s: half a commit: the counter is %d, with %d values", who, n, len(there)))
	}
}

func (v *visitor) auditListed(who string, got content, found *verdict) {
	var list []int
	_ = json.Unmarshal(got.Values["list"], &list) // absent is empty
	times := make(map[int]int)
	for _, op := range list {
		times[op]++
	}
	for op, outcome := range v.listed {
		switch {
		case times[op] > 1:
			found.wrong = append(found.wrong, fmt.Sprintf("%s: entry %d is there %d times", who, op, times[op]))
		case times[op] == 0 && outcome == acknowledged:
			found.lose(1, "%s: acknowledged entry %d is not there", who, op)
		}
	}
}
