package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A Forum is a place for posts on one subject.
type Forum struct {
	ID    string // in URLs
	Name  string
	About string
	Posts int       // how many there are
	Last  time.Time // when the newest was written; zero where there is none
}

// A Post is a text in a forum.
type Post struct {
	ID     int64 // larger than that of every older post in its forum
	Author string
	Text   string
	Time   time.Time
}

var (
	// errNoForum says that there is no forum of that ID.
	errNoForum = errors.New("no such forum")
	// errNoPosts says that posts can't be read or stored just now.
	errNoPosts = errors.New("posts can't be reached")
)

// A repository keeps forums and posts. Many goroutines may use it at once. Each method returns the errors that its
// comment names, or errNoPosts.
type repository interface {
	// Forums returns all forums, in the order in which they are shown.
	Forums(ctx context.Context) ([]Forum, error)
	// Forum returns one forum, or errNoForum.
	Forum(ctx context.Context, id string) (Forum, error)
	// Posts returns up to limit posts, newest first, of those with an ID below before; 0: of all. Or errNoForum.
	Posts(ctx context.Context, forum string, before int64, limit int) ([]Post, error)
	// AddPost adds a post and returns it with its ID, and with the database's time where there is one; or errNoForum.
	AddPost(ctx context.Context, forum string, p Post) (Post, error)
}

// maxPosts is how many posts of a forum are kept in memory: the newest.
const maxPosts = 500

// A memoryRepo keeps forums and posts in memory.
type memoryRepo struct {
	mu sync.RWMutex
	// mu locks the remaining fields.
	forums []Forum
	posts  map[string][]Post // by forum, oldest first
	nextID int64
}

var _ repository = (*memoryRepo)(nil)

// newMemoryRepo returns the first forums with their first posts.
func newMemoryRepo() *memoryRepo {
	r := &memoryRepo{
		forums: slices.Clone(firstForums),
		posts:  make(map[string][]Post),
	}
	for _, p := range firstPosts {
		r.AddPost(context.Background(), p.forum, Post{Author: p.author, Text: p.text, Time: time.Now().Add(-p.age)})
	}
	return r
}

func (r *memoryRepo) Forums(context.Context) ([]Forum, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.forums), nil
}

func (r *memoryRepo) Forum(_ context.Context, id string) (Forum, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at, err := r.findLocked(id)
	if err != nil {
		return Forum{}, err
	}
	return r.forums[at], nil
}

func (r *memoryRepo) findLocked(id string) (at int, err error) {
	at = slices.IndexFunc(r.forums, func(f Forum) bool { return f.ID == id })
	if at < 0 {
		return at, errNoForum
	}
	return at, nil
}

func (r *memoryRepo) Posts(_ context.Context, forum string, before int64, limit int) ([]Post, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, err := r.findLocked(forum); err != nil {
		return nil, err
	}
	var newest []Post
	for _, p := range slices.Backward(r.posts[forum]) {
		if len(newest) == limit {
			break
		}
		if before == 0 || p.ID < before {
			newest = append(newest, p)
		}
	}
	return newest, nil
}

func (r *memoryRepo) AddPost(_ context.Context, forum string, p Post) (Post, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, err := r.findLocked(forum)
	if err != nil {
		return Post{}, err
	}
	r.nextID++
	p.ID = r.nextID
	posts := append(r.posts[forum], p)
	if len(posts) > maxPosts {
		posts = slices.Delete(posts, 0, len(posts)-maxPosts)
	}
	r.posts[forum] = posts
	r.forums[at].Posts, r.forums[at].Last = len(posts), p.Time
	return p, nil
}
