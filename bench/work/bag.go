package work

// A bag is one request's session of a library that keeps values of any type by name.
type bag interface {
	get(name string) (any, error)
	put(name string, value any) error
	renew() error // the token
	save() error  // after changes, where the library wants to be told
}

// A bagVisit does with a bag what programs do: a count is a value that is read, and put one higher.
type bagVisit[B bag] struct{ bag B }

func (v bagVisit[B]) get(i int) (string, error)    { return v.text(names[i]) }
func (v bagVisit[B]) set(i int, text string) error { return v.bag.put(names[i], text) }
func (v bagVisit[B]) user() (string, error)        { return v.text("user") }
func (v bagVisit[B]) save() error                  { return v.bag.save() }

func (v bagVisit[B]) text(name string) (string, error) {
	value, err := v.bag.get(name)
	text, _ := value.(string)
	return text, err
}

func (v bagVisit[B]) hit() error {
	n, err := v.hits()
	if err != nil {
		return err
	}
	return v.bag.put("hits", n+1)
}

// hits knows that JSON has one kind of number.
func (v bagVisit[B]) hits() (int64, error) {
	value, err := v.bag.get("hits")
	if n, ok := value.(float64); ok {
		return int64(n), err
	}
	n, _ := value.(int64)
	return n, err
}

func (v bagVisit[B]) login(user string) error {
	if err := v.bag.renew(); err != nil {
		return err
	}
	return v.bag.put("user", user)
}
