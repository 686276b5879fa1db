// The module against a real server, with the WebSocket of npm's ws in the place of the browser's.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { connect } from "../live.js";

const patience = { timeout: 120_000 };
const large = `[1,"${"a".repeat(65_535)}"]`; // a message of one byte more than the server takes

const tabs = [];
let folder, server, url;

before(async () => {
  mock.method(Math, "random", () => 0); // the module comes back as soon as it may
  folder = mkdtempSync(join(tmpdir(), "livesite-"));
  const program = join(folder, "livesite");
  const repository = fileURLToPath(new URL("../../..", import.meta.url));
  execFileSync("go", ["build", "-o", program, "./internal/livesite"], { cwd: repository, stdio: "inherit" });
  server = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  [url] = await once(createInterface(server.stdout), "line");
}, patience);

after(async () => {
  for (const tab of tabs) tab.live.close();
  if (server) {
    const ended = once(server, "exit");
    server.stdin.end();
    assert.deepEqual(await ended, [0, null], "the server's exit code and signal");
  }
  rmSync(folder, { recursive: true });
}, patience);

// A Tab is a page of the site: its cookie, its WebSockets, and what its socket was told.
class Tab {
  sockets = [];
  messages = []; // of the socket's own stream
  numbers = [];
  room = [];
  members = [];
  gaps = [];
  states = [];

  // open logs in and connects. headers replace those that a browser would send.
  static async open(headers) {
    const tab = new Tab();
    tabs.push(tab);
    tab.cookie = await login();
    tab.connect({ Cookie: tab.cookie, Origin: url, ...headers });
    return tab;
  }

  connect(headers) {
    const { sockets } = this;
    globalThis.WebSocket = class extends WebSocket {
      constructor(address, protocol) {
        super(address, protocol, { headers });
        this.on("error", () => {}); // a close follows
        sockets.push(this);
      }
    };
    this.live = connect(`${url}/live`);
    this.live.on("message", ({ stream, number, data }) => {
      if (stream) return this.room.push(data);
      this.messages.push(data);
      this.numbers.push(number);
    });
    this.live.on("member", ({ stream, event, who }) => this.members.push([stream, event, who]));
    this.live.on("gap", (gap) => this.gaps.push(gap));
    this.live.on("state", (change) => this.states.push(change));
  }

  get socket() { return this.sockets.at(-1); }

  // until waits for an event after which the condition holds.
  async until(name, holds) {
    while (!holds(this)) {
      let off;
      await new Promise((resolve) => { off = this.live.on(name, resolve); });
      off();
    }
  }

  state(want) { return this.until("state", ({ live }) => live.state === want); }

  // cutAfter breaks the connection as soon as so many messages have arrived.
  cutAfter(count) {
    const cut = () => { if (this.messages.length === count) this.socket.terminate(); };
    this.live.on("message", cut);
    cut();
  }

  received(count) { return this.until("message", ({ messages }) => messages.length >= count); }
}

async function post(path, options) {
  const response = await fetch(url + path, { method: "POST", ...options });
  assert.equal(response.status, 200, `${path}: ${await response.text()}`);
  return response;
}

// login returns the cookie of a new session.
async function login() {
  const response = await post("/login");
  return response.headers.get("set-cookie").split(";")[0];
}

const code = (promise) => promise.then(() => "resolved", (error) => error.code);

// site runs a test on a page of its own.
function site(name, f, headers) {
  test(name, patience, async () => {
    await f(await Tab.open(headers));
  });
}

site("messages go up, are acknowledged, and come down", async (tab) => {
  await tab.live.send({ text: "κόσμε" });
  await tab.received(1);
  assert.match(tab.live.id, /^[0-9a-f]{32}$/);
  await post(`/send/${tab.live.id}`, { body: '"from a job"' });
  await tab.received(2);
  assert.equal(await code(tab.live.send("refuse")), "rude");
  await tab.live.send(null);
  await tab.received(3);
  assert.deepEqual(tab.messages, [{ text: "κόσμε" }, "from a job", null]);
  assert.deepEqual(tab.numbers, [1, 2, 3]);
  assert.equal(tab.socket.protocol, "live.1");
  assert.deepEqual(tab.states.map(({ state }) => state), ["open"]);
});

site("two pages hear each other in a room", async (ada) => {
  const bob = await Tab.open();
  await ada.live.send("join");
  await bob.live.send("join");
  await bob.live.send("hello");
  await ada.until("message", () => ada.room.length);
  await bob.until("message", () => bob.room.length);
  assert.deepEqual([ada.room, bob.room], [["hello"], ["hello"]]);
  assert.deepEqual(ada.members, [["room", "joined", ada.live.id], ["room", "joined", bob.live.id]]);
});

site("cut connections lose nothing and double nothing", async (tab) => {
  await tab.state("open");
  const { id } = tab.live;
  const want = [];
  for (const [answers, moment] of [[0, "upgrade"], [50, "upgrade"], [0, "open"], [50, "open"]]) {
    const sends = [];
    for (let n = 0; n < 100; n++) { // more than may be on their way at a time
      want.push(want.length);
      sends.push(tab.live.send(want.at(-1)));
    }
    tab.cutAfter(want.length - 100 + answers);
    await tab.state("connecting");
    tab.socket.once(moment, () => tab.socket.terminate()); // before the hello, and before the welcome
    await tab.state("offline");
    await Promise.all(sends);
    await tab.received(want.length);
    await tab.state("open");
  }
  assert.deepEqual(tab.messages, want);
  assert.deepEqual(tab.numbers, want.map((n) => n + 1));
  assert.equal(tab.live.id, id);
  assert.equal(tab.sockets.length, 9);
  assert.deepEqual(tab.gaps, []);
});

site("a page gets what was sent while it was away", async (tab) => {
  await tab.live.send("before");
  await tab.received(1);
  tab.socket.terminate();
  await tab.state("offline");
  for (const n of [1, 2, 3]) await post(`/send/${tab.live.id}`, { body: `${n}` });
  await tab.received(4);
  assert.deepEqual(tab.messages, ["before", 1, 2, 3]);
  assert.deepEqual(tab.gaps, []);
});

site("a message that is too large is rejected, and closes the connection of a client that sends it", async (tab) => {
  await tab.state("open");
  const { id } = tab.live;
  assert.equal(await code(tab.live.send("a".repeat(65_535))), "large");
  assert.equal(tab.live.state, "open");
  await tab.live.send("a".repeat(65_534));
  tab.socket.send(large.replace("1", "2"));
  await tab.state("offline");
  assert.equal(tab.states.at(-1).code, 1009);
  await tab.live.send("goes on");
  await tab.received(2);
  assert.equal(tab.messages[1], "goes on");
  assert.equal(tab.live.id, id);
});

// ended fails unless the socket has ended for good.
async function ended(tab, code, connections) {
  await tab.state("closed");
  assert.equal(tab.states.at(-1).code, code);
  await assert.rejects(tab.live.send("late"), { code: "closed" });
  assert.equal(tab.sockets.length, connections);
}

site("a logout closes the socket for good", async (tab) => {
  await tab.live.send("before");
  await post("/logout", { headers: { Cookie: tab.cookie } });
  await ended(tab, 4401, 1);
});

site("a page can't come back after a logout", async (tab) => {
  await tab.live.send("before");
  tab.socket.terminate();
  await tab.state("offline");
  await post("/logout", { headers: { Cookie: tab.cookie } });
  await ended(tab, 4401, 2);
});

site("a page of another site is refused", (tab) => ended(tab, 4403, 1), { Origin: "https://evil.test" });

site("a visitor without a session is refused", (tab) => ended(tab, 4401, 1), { Cookie: "" });

// raw opens a WebSocket without the module.
async function raw(protocols) {
  return new WebSocket(`${url}/live`, protocols, { headers: { Cookie: await login(), Origin: url } });
}

test("a client of another protocol is refused", patience, async () => {
  const none = await raw([]);
  const [code] = await once(none, "close");
  assert.equal(code, 4400);
  const other = await raw(["live.2"]); // a client that asks for one closes by itself where it doesn't get it
  const [error] = await once(other, "error");
  assert.match(error.message, /subprotocol/);
});

test("of several protocols the server takes its own", patience, async () => {
  const ws = await raw(["live.2", "live.1"]);
  await once(ws, "open");
  assert.equal(ws.protocol, "live.1");
  ws.send('{"t":"hello"}');
  const [welcome] = await once(ws, "message");
  assert.equal(JSON.parse(welcome).t, "welcome");
  ws.send("[1,1]");
  ws.send(Buffer.from("binary"));
  const [code] = await once(ws, "close");
  assert.equal(code, 4400);
});
