package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

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

func TestMemoryKnowsItsForums(t *testing.T) {
	ctx, r := context.Background(), newMemoryRepo()
	_, forumErr := r.Forum(ctx, "nope")
	_, postsErr := r.Posts(ctx, "nope", 0, 1)
	_, addErr := r.AddPost(ctx, "nope", Post{})
	for what, err := range map[string]error{"Forum": forumErr, "Posts": postsErr, "AddPost": addErr} {
		if !errors.Is(err, errNoForum) {
			t.Errorf("%s of an unknown forum: %v, want errNoForum", what, err)
		}
	}
}
