package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// eachRepo tests what every repository promises.
func eachRepo(t *testing.T, test func(t *testing.T, r repository)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemoryRepo()) })
	t.Run("postgres", func(t *testing.T) { test(t, openTestPostgres(t, newDatabase(t)).posts) })
}

func TestRepositoryBeginsWithPosts(t *testing.T) {
	eachRepo(t, func(t *testing.T, r repository) {
		forums, err := r.Forums(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range forums {
			got = append(got, f.ID)
		}
		if want := []string{"lobby", "go", "kitchen", "books"}; !slices.Equal(got, want) {
			t.Errorf("forums: got %q, want %q", got, want)
		}
		for _, f := range forums {
			posts, err := r.Posts(t.Context(), f.ID, 0, 10)
			if err != nil || len(posts) == 0 || len(posts) != f.Posts || !f.Last.Equal(posts[0].Time) {
				t.Errorf("%s: got %+v with the posts %+v (%v), want some, and the time of the newest", f.ID, f, posts, err)
			}
			for i, newer := range posts[:len(posts)-1] {
				if !newer.Time.After(posts[i+1].Time) {
					t.Errorf("%s: a post of %v stands before one of %v", f.ID, newer.Time, posts[i+1].Time)
				}
			}
		}
	})
}

// firstPostsIn is how many posts a forum has from the start.
func firstPostsIn(forum string) (n int) {
	for _, p := range firstPosts {
		if p.forum == forum {
			n++
		}
	}
	return n
}

func TestRepositoryPagesThroughPosts(t *testing.T) {
	eachRepo(t, func(t *testing.T, r repository) {
		ctx := t.Context()
		for i := range 5 {
			addTestPost(t, r, "go", fmt.Sprintf("%d é \t\n%d", i, i))
			addTestPost(t, r, "books", "elsewhere")
		}
		first, err := r.Posts(ctx, "go", 0, 3)
		if err != nil || len(first) != 3 {
			t.Fatalf("first page: got %d posts (%v), want 3", len(first), err)
		}
		rest, err := r.Posts(ctx, "go", first[2].ID, 2)
		if err != nil || len(rest) != 2 {
			t.Fatalf("second page: got %d posts (%v), want 2", len(rest), err)
		}
		for i, p := range slices.Concat(first, rest) {
			n := 4 - i
			want := fmt.Sprintf("%d é \t\n%d", n, n)
			if p.Text != want || p.Author != "Ann" || time.Since(p.Time) > time.Minute {
				t.Errorf("post %d: got %+v, want text %q by Ann, just now", i, p, want)
			}
		}
		older, err := r.Posts(ctx, "go", rest[1].ID, 9)
		if want := firstPostsIn("go"); err != nil || len(older) != want {
			t.Fatalf("third page: got %d posts (%v), want %d", len(older), err, want)
		}
		none, err := r.Posts(ctx, "go", older[len(older)-1].ID, 3)
		if err != nil || len(none) != 0 {
			t.Errorf("past the end: got %d posts (%v), want none", len(none), err)
		}
		if all, err := r.Posts(ctx, "go", 1<<62, 9); err != nil || len(all) != 5+len(older) {
			t.Errorf("before a huge number: got %d posts (%v), want %d", len(all), err, 5+len(older))
		}
	})
}

func TestRepositoryTakesPostsFromMany(t *testing.T) {
	eachRepo(t, func(t *testing.T, r repository) {
		var writers sync.WaitGroup
		for i := range 8 {
			writers.Go(func() {
				for range 10 {
					addTestPost(t, r, "go", fmt.Sprint(i))
				}
			})
		}
		writers.Wait()
		want := 80 + firstPostsIn("go")
		f, err := r.Forum(t.Context(), "go")
		if err != nil || f.Posts != want {
			t.Errorf("Forum: got %d posts (%v), want %d", f.Posts, err, want)
		}
		posts, err := r.Posts(t.Context(), "go", 0, 100)
		if err != nil || len(posts) != want {
			t.Errorf("Posts: got %d (%v), want %d", len(posts), err, want)
		}
	})
}

func addTestPost(t *testing.T, r repository, forum, text string) {
	t.Helper()
	p, err := r.AddPost(t.Context(), forum, Post{Author: "Ann", Text: text, Time: time.Now()})
	if err != nil || p.ID == 0 {
		t.Errorf("AddPost: got ID %d and %v", p.ID, err)
	}
}

func TestRepositoryKnowsItsForums(t *testing.T) {
	eachRepo(t, func(t *testing.T, r repository) {
		ctx := t.Context()
		_, forumErr := r.Forum(ctx, "nope")
		_, postsErr := r.Posts(ctx, "nope", 0, 1)
		_, addErr := r.AddPost(ctx, "nope", Post{})
		for what, err := range map[string]error{"Forum": forumErr, "Posts": postsErr, "AddPost": addErr} {
			if !errors.Is(err, errNoForum) {
				t.Errorf("%s of an unknown forum: %v, want errNoForum", what, err)
			}
		}
	})
}

func TestMemoryKeepsTheNewestPosts(t *testing.T) {
	ctx, r := context.Background(), newMemoryRepo()
	for i := range maxPosts + 10 {
		if _, err := r.AddPost(ctx, "go", Post{Author: "Ann", Text: fmt.Sprint(i), Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	posts, err := r.Posts(ctx, "go", 0, 2*maxPosts)
	if err != nil {
		t.Fatal(err)
	}
	if len(posts) != maxPosts {
		t.Errorf("%d posts are kept, want %d", len(posts), maxPosts)
	}
	if got, want := posts[0].Text, fmt.Sprint(maxPosts+9); got != want {
		t.Errorf("the newest post is %q, want %q", got, want)
	}
	forum, err := r.Forum(ctx, "go")
	if err != nil || forum.Posts != maxPosts {
		t.Errorf("Forum says %d posts (%v), want %d", forum.Posts, err, maxPosts)
	}
}
