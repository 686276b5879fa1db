// Runs the vectors that all clients of live.1 share. Their README says what the steps mean.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "../live.js";
import { Browser, settle } from "./fake.js";

const folder = new URL("../../testdata/vectors/", import.meta.url);

class Run {
  events = [];
  results = []; // of sends
  dials = 0; // how many connections the test has seen
  changes = []; // of the state

  constructor() {
    this.browser = new Browser();
    this.live = connect("/live/forum");
    for (const name of ["message", "gap", "member"]) this.live.on(name, (event) => this.events.push([name, event]));
    this.live.on("state", (change) => this.changes.push(change));
  }

  // act does what the server, the network, the program or the time does. It tells whether the step is of this kind.
  async act(step) {
    const { browser } = this;
    const { socket } = browser;
    if ("open" in step) socket.open();
    else if ("refuse" in step || "cut" in step) socket.end(1006);
    else if ("server" in step) socket.receive(JSON.stringify(step.server));
    else if ("raw" in step) socket.receive(step.raw);
    else if ("binary" in step) socket.receive(new Blob([step.binary]));
    else if ("close" in step) socket.end(step.close, step.reason);
    else if ("send" in step) this.send(step.send, step.as);
    else if ("end" in step) this.live.close();
    else if ("advance" in step) await browser.advance(step.advance);
    else if ("random" in step) browser.random = step.random;
    else return false;
    await settle();
    return true;
  }

  send(data, as) {
    this.live.send(data).then(
      () => this.results.push({ resolved: as }),
      ({ code, message }) => this.results.push({ rejected: as, code, text: message }),
    );
  }

  expect(step) {
    const { browser, live } = this;
    if ("dials" in step) assert.equal(++this.dials, browser.sockets.length, "connections");
    else if ("client" in step) assert.deepEqual(browser.frames.shift(), step.client);
    else if ("event" in step) assert.deepEqual(this.events.shift(), step.event);
    else if ("resolved" in step) assert.deepEqual(this.results.shift(), step);
    else if ("rejected" in step) this.rejected(step);
    else if ("closes" in step) this.closes(browser.closes.shift(), step.closes);
    else if ("id" in step) assert.equal(live.id, step.id);
    else if ("state" in step) this.state(step);
    else assert.fail("unknown step");
  }

  rejected(step) {
    const got = this.results.shift();
    assert.equal(typeof got?.text, "string");
    assert.deepEqual(got, { text: got.text, ...step });
  }

  closes(got, want) {
    assert.ok(got, "the client did not close");
    if (want !== true) assert.equal(got, want);
  }

  state(step) {
    assert.equal(this.live.state, step.state);
    if ("code" in step) assert.deepEqual(this.changes.at(-1), step);
  }

  // quiet fails where the client did what no step expects.
  quiet() {
    const { frames, closes, sockets } = this.browser;
    const left = { frames, closes, dials: sockets.length - this.dials, events: this.events, results: this.results };
    assert.deepEqual(left, { frames: [], closes: [], dials: 0, events: [], results: [] }, "not expected");
  }
}

const acts = ["open", "refuse", "cut", "server", "raw", "binary", "close", "send", "end", "advance"];

let count = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  for (const { name, what, steps } of JSON.parse(readFileSync(new URL(file, folder)))) {
    count++;
    test(`${file} ${name}: ${what}`, async () => {
      const run = new Run();
      try {
        for (const [i, step] of steps.entries()) {
          try {
            if (acts.some((act) => act in step)) run.quiet();
            if (!(await run.act(step))) run.expect(step);
          } catch (error) {
            error.message = `step ${i + 1} ${JSON.stringify(step)}: ${error.message}`;
            throw error;
          }
        }
        run.quiet();
        assert.deepEqual(run.browser.touched, [], "storage");
      } finally {
        run.browser.close();
      }
    });
  }
}

test("there are vectors", () => assert.ok(count >= 100, `${count} vectors`));
