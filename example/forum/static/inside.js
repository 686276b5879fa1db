// The live socket of the page "Inside": its ID, its numbers, and how often it was resumed.

import { open } from "./connection.js";

const part = (name) => document.getElementById(name);
const live = open("/live/inside");

live.on("state", ({ state }) => {
  part("own-state").textContent = state;
  if (state !== "open") return;
  part("own-id").textContent = live.id;
  part("own").hidden = false;
  ask();
});
live.on("message", ({ number, data }) => {
  part("own-in").textContent = data.in + 1; // with the one that asked
  part("own-out").textContent = number;
  part("own-resumes").textContent = times(data.resumes);
});
part("ask").addEventListener("click", ask);

function times(n) {
  if (n === 0) return "never in this session";
  return n === 1 ? "once in this session" : `${n} times in this session`;
}

function ask() {
  live.send({}).catch(() => {}); // the next one shows the numbers as well
}
