// The connection of a page to its live socket: it says when it is offline, and ends with the page.

import { connect } from "./live.js";

const offline = "Offline. Reconnecting…";
const ended = "Your session has ended, so this page is no longer up to date.";
const closed = "This page is no longer up to date.";

// open connects to a socket of this site, and shows its state at the foot of the window.
export function open(path) {
  const live = connect(path);
  const bar = document.createElement("p");
  bar.className = "connection";
  bar.setAttribute("role", "status");
  document.body.append(bar);

  let leaving = false;
  live.on("state", ({ state, code }) => {
    if (state === "offline") bar.textContent = offline;
    if (state === "open") bar.textContent = "";
    if (state === "closed" && !leaving) end(bar, code === 4401 ? ended : closed);
  });
  // A page that is left frees its place at once.
  addEventListener("pagehide", () => {
    leaving = true;
    live.close();
  });
  // One that the browser had kept has missed what happened since.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) location.reload();
  });
  return live;
}

function end(bar, why) {
  const again = document.createElement("a");
  again.href = location.pathname + location.search;
  again.textContent = "Load it again";
  bar.replaceChildren(why, " ", again);
}
