// A forum's page that shows new posts by itself, and how many people are there.

import { open } from "./connection.js";

const posts = document.getElementById("posts");
const people = document.getElementById("people");
const blank = document.getElementById("post").content.firstElementChild;
const live = open("/live/forum");

live.on("message", ({ data }) => {
  if (data.post) show(data.post);
  if (data.people) people.textContent = data.people === 1 ? "1 person here" : `${data.people} people here`;
  if (data.again) location.reload();
});
live.on("gap", watch);
live.on("state", ({ state }) => {
  people.classList.toggle("stale", state !== "open");
});
watch();

// watch asks for all posts after the newest one here: in the beginning, and where some were missed.
function watch() {
  const after = Math.max(0, ...[...posts.querySelectorAll("[data-post]")].map(idOf));
  live.send({ forum: posts.dataset.forum, after }).catch(({ code }) => {
    // "unknown" comes with a gap, and "closed" and "forum" are final.
    if (code === "internal") setTimeout(watch, 5000);
  });
}

function idOf(post) {
  return Number(post.dataset.post);
}

// show adds a post in its place, unless it is there: the server may tell of it twice.
function show({ id, author, initial, hue, text, time, exact, ago }) {
  if (document.getElementById(`post-${id}`)) return;
  const post = document.importNode(blank, true);
  post.id = `post-${id}`;
  post.dataset.post = id;
  const avatar = post.querySelector(".avatar");
  avatar.className = `avatar hue-${hue}`;
  avatar.textContent = initial;
  post.querySelector("h3").textContent = author;
  const when = post.querySelector("time");
  when.dateTime = time;
  when.title = exact;
  when.textContent = ago;
  post.querySelector(".text").textContent = text;
  post.classList.add("new");
  const older = [...posts.querySelectorAll("[data-post]")].find((other) => idOf(other) < id);
  posts.insertBefore(post, older ?? null);
  posts.querySelector(".empty")?.remove();
  document.getElementById("news").textContent = `New post by ${author}`; // for those who only hear the page
}
