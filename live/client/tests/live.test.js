// What the shared vectors can't say: what belongs to a browser, to JavaScript, or to this module's own interface.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "../live.js";
import { Browser, numbers, settle } from "./fake.js";

const id = "a0000000000000000000000000000001";

// page runs a test in a browser of its own.
function page(name, f) {
  test(name, async () => {
    const browser = new Browser();
    try {
      await f(browser);
      assert.deepEqual(browser.touched, [], "storage");
    } finally {
      browser.close();
    }
  });
}

function welcome(browser, frame) {
  const usual = { t: "welcome", id, resumed: false, in: 0, at: { "": ["e1", 0] }, win: 64, max: 65536, beat: 25 };
  browser.socket.open();
  browser.frames.shift();
  serve(browser, { ...usual, ...frame });
}

const serve = (browser, frame) => browser.socket.receive(JSON.stringify(frame));

function open(browser, options) {
  const live = connect("/live", options);
  welcome(browser);
  assert.equal(live.state, "open");
  return live;
}

// outcome tells how a promise ended, or "pending".
async function outcome(promise) {
  const ended = promise.then(() => "resolved", ({ code, name }) => code ?? name);
  await settle();
  return Promise.race([ended, "pending"]);
}

for (const [base, url, want] of [
  ["https://forum.test/threads?page=2#last", "/live/forum", "wss://forum.test/live/forum"],
  ["https://forum.test/threads/7", "live?a=b", "wss://forum.test/threads/live?a=b"],
  ["http://localhost:8080/", "/live", "ws://localhost:8080/live"],
  ["https://forum.test/", "https://live.test/x", "wss://live.test/x"],
  ["https://forum.test/", "ws://live.test/x", "ws://live.test/x"],
  ["https://forum.test/", new URL("wss://live.test/x"), "wss://live.test/x"],
]) {
  page(`${url} on ${base} is ${want}`, (browser) => {
    location.href = base;
    connect(url);
    assert.equal(browser.socket.url, want);
    assert.equal(browser.socket.protocol, "live.1");
  });
}

test("importing the module does nothing", async () => {
  const browser = new Browser();
  try {
    const module = await import("../live.js?again");
    assert.deepEqual(Object.keys(module), ["connect"]);
    assert.deepEqual(
      [browser.sockets.length, browser.timers.size, browser.listening.size, browser.touched.length],
      [0, 0, 0, 0],
    );
  } finally {
    browser.close();
  }
});

test("the module stores nothing and imports nothing", () => {
  const text = readFileSync(new URL("../live.js", import.meta.url), "utf8");
  assert.doesNotMatch(text, /storage|cookie|indexedDB|caches|import\b(?! )|^import/im);
});

page("without a window there are no events to listen to", (browser) => {
  globalThis.addEventListener = globalThis.removeEventListener = undefined;
  const live = connect("wss://live.test/");
  welcome(browser);
  live.close();
  assert.equal(live.state, "closed");
});

page("states are told with the code", (browser) => {
  const live = connect("/live");
  const told = [];
  live.on("state", (change) => told.push(change));
  welcome(browser);
  browser.socket.end(1012, "restart");
  browser.fire("online");
  welcome(browser, { resumed: true });
  browser.socket.end(4401, "ended");
  const none = { code: undefined, reason: undefined };
  assert.deepEqual(told, [
    { state: "open", ...none },
    { state: "offline", code: 1012, reason: "restart" },
    { state: "connecting", ...none },
    { state: "open", ...none },
    { state: "closed", code: 4401, reason: "ended" },
  ]);
});

for (const event of ["online", "pageshow", "visibilitychange"]) {
  page(`${event} ends the wait for the next try`, async (browser) => {
    const live = open(browser);
    browser.fire(event);
    assert.equal(browser.sockets.length, 1, "while open");
    browser.socket.end(1006);
    browser.fire(event);
    assert.equal(browser.sockets.length, 2, "while offline");
    browser.fire(event);
    assert.equal(browser.sockets.length, 2, "while connecting");
    await browser.advance(19_000);
    assert.equal(browser.sockets.length, 2, "the wait goes on");
    live.close();
    browser.fire(event);
    assert.equal(browser.sockets.length, 2, "while closed");
    assert.equal(browser.listening.size, 0, "listeners left");
  });
}

page("a tab that is hidden does not hurry, unless the network is back", (browser) => {
  open(browser);
  browser.socket.end(1006);
  document.visibilityState = "hidden";
  browser.fire("visibilitychange");
  assert.equal(browser.sockets.length, 1);
  browser.fire("online");
  assert.equal(browser.sockets.length, 2);
});

page("each try draws a time of its own", async (browser) => {
  connect("/live");
  for (const [random, most] of [[0.1, 400], [0.9, 800], [0.3, 1600], [0.999, 3200]]) {
    browser.random = random;
    const before = browser.sockets.length;
    browser.socket.end(1006);
    const wait = 200 + random * (most - 200);
    await browser.advance(wait - 1);
    assert.equal(browser.sockets.length, before);
    await browser.advance(1);
    assert.equal(browser.sockets.length, before + 1);
  }
});

page("1,000 messages may wait, on their way or not", async (browser) => {
  const live = open(browser);
  for (let i = 0; i < 999; i++) live.send(i);
  const last = live.send("last");
  assert.equal(await outcome(live.send("more")), "full");
  assert.equal(browser.frames.length, 64);
  serve(browser, { t: "ack", in: 1 });
  const next = live.send("next");
  assert.equal(await outcome(next), "pending");
  assert.equal(await outcome(last), "pending");
  assert.equal(await outcome(live.send("more")), "full");
});

page("how many may wait is an option", async (browser) => {
  const live = connect("/live", { queue: 2 });
  const first = live.send(1);
  live.send(2);
  assert.equal(await outcome(live.send(3)), "full");
  welcome(browser);
  serve(browser, { t: "ack", in: 2 });
  assert.equal(await outcome(first), "resolved");
});

page("a value is sent as it was", async (browser) => {
  const live = connect("/live");
  const value = { text: "before" };
  live.send(value);
  value.text = "after";
  live.send(undefined);
  const loop = {};
  loop.loop = loop;
  assert.equal(await outcome(live.send(loop)), "TypeError");
  assert.equal(await outcome(live.send(1n)), "TypeError");
  welcome(browser);
  assert.deepEqual(browser.frames, [[1, { text: "before" }], [2, null]]);
});

page("a refusal is an Error with code and text", async (browser) => {
  const live = open(browser);
  const sent = live.send("x");
  serve(browser, { t: "no", n: 1, code: "rude", text: "not in here" });
  const error = await sent.catch((e) => e);
  assert.ok(error instanceof Error);
  assert.deepEqual([error.code, error.message], ["rude", "not in here"]);
});

page("a listener that throws harms nothing", (browser) => {
  const live = connect("/live");
  const heard = [];
  const bad = () => { throw new Error("bad listener"); };
  for (const name of ["message", "gap", "state", "member"]) {
    live.on(name, bad);
    live.on(name, () => heard.push(name));
  }
  welcome(browser);
  serve(browser, [1, "a"]);
  serve(browser, { t: "member", s: "", n: 2, e: "joined", who: id });
  serve(browser, { t: "gap", s: "", at: ["e2", 7], why: "old" });
  serve(browser, [8, "b"]);
  assert.deepEqual(heard, ["state", "message", "member", "gap", "message"]);
  assert.equal(browser.errors.length, 5);
  assert.equal(live.state, "open");
  assert.deepEqual(browser.closes, []);
});

page("a listener is removed by what on returned", (browser) => {
  const live = open(browser);
  const heard = [];
  const listener = ({ data }) => heard.push(data);
  const first = live.on("message", listener);
  const second = live.on("message", listener);
  serve(browser, [1, "a"]);
  first();
  first();
  serve(browser, [2, "b"]);
  second();
  serve(browser, [3, "c"]);
  assert.deepEqual(heard, ["a", "a", "b"]);
  assert.throws(() => live.on("massage", listener), TypeError);
});

page("a listener may remove itself and add others", (browser) => {
  const live = open(browser);
  const heard = [];
  const remove = live.on("message", () => {
    remove();
    heard.push("once");
    live.on("message", () => heard.push("later"));
  });
  live.on("message", () => heard.push("always"));
  serve(browser, [1, "a"]);
  serve(browser, [2, "b"]);
  assert.deepEqual(heard, ["once", "always", "always", "later"]);
});

page("a listener may send", (browser) => {
  const live = connect("/live");
  live.send("first");
  live.on("state", ({ state }) => { if (state === "open") live.send("second"); });
  live.on("message", ({ data }) => live.send(data));
  welcome(browser);
  serve(browser, [1, "third"]);
  assert.deepEqual(browser.frames, [[1, "first"], [2, "second"], [3, "third"]]);
});

// Each of these closes from within a listener, where the module is in the middle of its work.
for (const [when, name, happens] of [
  ["open", "state", (browser) => welcome(browser, { id: "other", resumed: false })],
  ["a reset", "gap", (browser) => welcome(browser, { id: "other", resumed: false })],
  ["a message", "message", (browser) => (welcome(browser, { resumed: true }), serve(browser, [1, "a"]))],
  ["a break", "state", (browser) => browser.socket.end(1006)],
  ["a final close", "state", (browser) => browser.socket.end(4401)],
  ["a hole", "state", (browser) => (welcome(browser, { resumed: true }), serve(browser, [9, "a"]))],
]) {
  page(`a listener may close at ${when}`, async (browser) => {
    const live = open(browser);
    browser.socket.end(1006);
    await browser.advance(300);
    const told = [];
    live.on(name, () => live.close());
    live.on("state", ({ state }) => told.push(state));
    live.on("gap", ({ why }) => told.push(why));
    happens(browser);
    await browser.advance(120_000);
    assert.equal(live.state, "closed");
    assert.deepEqual(told.filter((what) => what === "closed"), ["closed"]);
    if (name === "state") assert.ok(!told.includes("reset"), "a gap after the end");
    assert.equal(browser.sockets.length, 2, "connections");
    assert.equal(browser.timers.size, 0, "timers left");
  });
}

page("a listener may close when it is time to leave", async (browser) => {
  const live = open(browser);
  serve(browser, { t: "bye", after: [10, 10] });
  live.on("state", () => live.close());
  await browser.advance(10);
  assert.equal(live.state, "closed");
  assert.equal(browser.sockets.length, 1);
  assert.equal(browser.timers.size, 0);
});

page("a connection that was given up is not heard any more", async (browser) => {
  const live = open(browser);
  const heard = [];
  live.on("message", ({ data }) => heard.push(data));
  const old = browser.socket;
  await browser.advance(62_500);
  await browser.advance(300);
  welcome(browser, { resumed: true });
  old.receive('[1,"late"]');
  old.end(4401);
  serve(browser, [1, "in time"]);
  assert.deepEqual(heard, ["in time"]);
  assert.equal(live.state, "open");
});

page("nothing is left of a socket that is closed", async (browser) => {
  const live = open(browser);
  serve(browser, [1, "a"]);
  serve(browser, { t: "bye", after: [10, 10] });
  live.close();
  assert.equal(browser.timers.size, 0);
  assert.equal(browser.listening.size, 0);
});

page("no frame breaks the client", async (browser) => {
  const number = numbers(1);
  const pick = (...all) => all[number(all.length)];
  const values = [null, true, 0, 1, 2, -1, 1e300, "", "a", "__proto__", [], ["e1", 3], {}, { "": ["e1", 0] }, [0, 9]];
  const value = () => pick(...values);
  const kinds = ["welcome", "ack", "no", "join", "part", "gap", "member", "beat", "bye", "constructor", 7];
  const names = "id resumed in at win max n code text s seat why e who after";
  const keys = names.split(" ");
  const live = connect("/live");
  for (let i = 0; i < 20_000; i++) {
    if (live.state === "offline") browser.fire("online");
    if (live.state === "connecting") welcome(browser, { resumed: number(2) === 0 });
    const frame = { t: pick(...kinds) };
    for (let j = number(4); j > 0; j--) frame[pick(...keys)] = value();
    serve(browser, pick(frame, frame, frame, [value(), value(), value()], value()));
    if (number(10) === 0) live.send(value()).catch(() => {});
    if (i % 500 === 0) await browser.advance(200);
  }
  assert.notEqual(live.state, "closed");
  assert.deepEqual(browser.errors, []);
  assert.equal({}.polluted, undefined);
});
