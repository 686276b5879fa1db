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

func TestRepositoryBeginsWithAWelcome(t *testing.T) {
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
		if forums[0].Posts != 1 || forums[0].Last.IsZero() || forums[1].Posts != 0 || !forums[1].Last.IsZero() {
			t.Errorf("posts and times: got %+v, want one post in the first forum", forums[:2])
		}
		posts, err := r.Posts(t.Context(), "lobby", 0, 10)
		if err != nil || len(posts) != 1 || posts[0].Text != welcome {
			t.Errorf("posts: got %+v (%v), want the welcome", posts, err)
		}
	})
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
		rest, err := r.Posts(ctx, "go", first[2].ID, 3)
		if err != nil || len(rest) != 2 {
			t.Fatalf("second page: got %d posts (%v), want 2", len(rest), err)
		}
		for i, p := range slices.Concat(first, rest) {
			n := 4 - i
			if want := fmt.Sprintf("%d é \t\n%d", n, n); p.Text != want || p.Author != "Ann" || time.Since(p.Time) > time.Minute {
				t.Errorf("post %d: got %+v, want text %q by Ann, just now", i, p, want)
			}
		}
		none, err := r.Posts(ctx, "go", rest[1].ID, 3)
		if err != nil || len(none) != 0 {
			t.Errorf("past the end: got %d posts (%v), want none", len(none), err)
		}
		if all, err := r.Posts(ctx, "go", 1<<62, 9); err != nil || len(all) != 5 {
			t.Errorf("before a huge number: got %d posts (%v), want 5", len(all), err)
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
		f, err := r.Forum(t.Context(), "go")
		if err != nil || f.Posts != 80 {
			t.Errorf("Forum: got %d posts (%v), want 80", f.Posts, err)
		}
		posts, err := r.Posts(t.Context(), "go", 0, 100)
		if err != nil || len(posts) != 80 {
			t.Errorf("Posts: got %d (%v), want 80", len(posts), err)
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
