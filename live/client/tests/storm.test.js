// Whatever breaks, each message is handled once and each answer arrives once, both in order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../live.js";
import { Browser, numbers } from "./fake.js";

const id = "a0000000000000000000000000000001";

// A Fragile is a server that keeps what it has to, and breaks its connections after a random number of frames. It sends
// back each message that it handles.
class Fragile {
  handled = [];
  seen = new WeakSet();

  constructor(browser, below) {
    Object.assign(this, { browser, below });
  }

  // serve lets a connection live for some frames.
  serve(socket) {
    if (this.seen.has(socket)) return;
    this.seen.add(socket);
    if (this.below(10) === 0) return socket.end(1006);
    this.life = this.below(60);
    this.sent = 0;
    this.socket = socket;
    socket.open();
  }

  // frame answers a frame, and breaks before, between or after the answers.
  frame(frame) {
    for (const answer of this.answers(frame)) {
      if (--this.life < 0) return this.socket.end(1006);
      this.socket.receive(JSON.stringify(answer));
    }
    if (--this.life < 0) this.socket.end(1006);
  }

  answers(frame) {
    if (frame.t === "hello") {
      const resumed = !!frame.id;
      if (resumed) this.sent = frame.at[""][1];
      const at = { "": ["e1", 0] };
      return [{ t: "welcome", id, resumed, in: this.handled.length, at, win: 8, max: 65536, beat: 25 }, ...this.rest()];
    }
    if (!Array.isArray(frame)) return [];
    const [number, data] = frame;
    assert.ok(number <= this.handled.length + 1, "a hole");
    if (number === this.handled.length + 1) this.handled.push(data);
    return [...this.rest(), { t: "ack", in: this.handled.length }];
  }

  // rest returns the answers after what was sent. The one before it is sent twice, as a client has to bear.
  rest() {
    const from = Math.max(0, this.sent - 1);
    this.sent = this.handled.length;
    return this.handled.slice(from).map((data, i) => [from + i + 1, data]);
  }
}

for (let seed = 1; seed <= 20; seed++) {
  test(`storm ${seed}`, async () => {
    const browser = new Browser();
    try {
      const server = new Fragile(browser, numbers(seed));
      const live = connect("/live");
      const arrived = [];
      live.on("message", ({ data }) => arrived.push(data));
      const want = Array.from({ length: 200 }, (_, i) => i);
      let resolved = 0;
      for (const i of want) live.send(i).then(() => resolved++);
      for (let i = 0; i < 100_000 && (resolved < want.length || arrived.length < want.length); i++) {
        if (live.state === "connecting") server.serve(browser.socket);
        const frame = browser.frames.shift();
        if (!frame) await browser.advance(100);
        else if (browser.socket.readyState === 1) server.frame(frame);
      }
      assert.deepEqual(server.handled, want);
      assert.deepEqual(arrived, want);
      assert.equal(resolved, want.length);
      assert.ok(browser.sockets.length > 3, `${browser.sockets.length} connections`);
    } finally {
      browser.close();
    }
  });
}
