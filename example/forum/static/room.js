// A private room for two: each waits for the other, and both see one order.

import { open } from "./connection.js";

const part = (name) => document.getElementById(name);
const room = part("room").dataset.room;
const blank = part("line").content.firstElementChild;
const live = open("/live/room");
let seat = "";
let waiting = 0; // messages that are on their way

part("room").hidden = false;
part("address").value = location.href;
part("address").addEventListener("focus", ({ target }) => target.select());
if (navigator.clipboard) {
  part("copy").hidden = false;
  part("copy").addEventListener("click", copy);
}
part("say").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});

live.on("message", ({ data }) => {
  part("identity").textContent = data.identity;
  part("facts").hidden = false;
  if (data.text) show(data);
});
live.on("member", ({ event, who, seat: taken }) => {
  if (who === live.id) {
    if (event === "joined") {
      seat = taken;
      part("seat").textContent = seat;
      alone("You are the first here. Waiting for the other…");
    }
    if (event === "full") together();
    return;
  }
  if (event === "full" || event === "back") together();
  if (event === "away") tell("The other has lost the connection. What you say waits.");
  if (event === "left") alone("The other has left. Waiting for somebody…");
});
live.on("gap", ({ stream }) => {
  if (stream !== "") note("Some messages are missing here.");
  else if (part("said").children.length) note("The connection was lost for long. Messages may be missing here.");
  enter();
});
enter();

// enter takes a seat, and waits until the other one is taken.
function enter() {
  live.send({ room, seat }).then(together, ({ code, message }) => {
    if (code === "unknown" || code === "closed") return; // a gap follows, or the page says that it has ended
    if (code === "internal") setTimeout(enter, 5000);
    else refuse(message);
  });
}

function tell(text) {
  part("status").textContent = text;
}

function together() {
  tell("You are both here.");
  part("share").hidden = true;
  part("say").hidden = false;
}

function alone(text) {
  tell(text);
  part("share").hidden = false;
  part("say").hidden = true;
}

// refuse says why there is no place here, and where there is one.
function refuse(text) {
  alone(text);
  part("status").classList.add("warning");
  part("share").hidden = true;
  part("another").hidden = false;
}

function say() {
  const text = part("text").value.trim();
  if (!text) return;
  part("text").value = "";
  sending(1);
  live.send({ room, say: text }).then(
    () => sending(-1),
    ({ code, message }) => {
      sending(-1);
      const what = code === "unknown" ? "It is not known whether this has arrived" : `This was not sent (${message})`;
      note(`${what}: ${text}`);
    },
  );
}

function sending(more) {
  waiting += more;
  part("sending").textContent = waiting ? "Sending…" : "";
}

function show({ identity, index, seat: side, name, text }) {
  const line = document.importNode(blank, true);
  line.className = side === seat ? "own" : "other";
  line.querySelector(".name").textContent = name;
  line.querySelector(".side").textContent = side;
  line.querySelector(".number").textContent = `${identity} | ${index}`;
  line.querySelector(".text").textContent = text;
  add(line);
}

function note(text) {
  const line = document.createElement("li");
  line.className = "note";
  line.textContent = text;
  add(line);
}

function add(line) {
  part("said").append(line);
  line.scrollIntoView({ block: "nearest" });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(part("address").value);
    part("copy").textContent = "Copied";
  } catch {
    part("address").select();
  }
}
