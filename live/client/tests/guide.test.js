import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "../live.js";
import { Browser, settle } from "./fake.js";

test("the lines of script in the guide run as they stand there", async () => {
  const text = readFileSync(new URL("../../../docs/live.md", import.meta.url), "utf8");
  const lines = text.match(/```js\nimport \{ connect \} from "\/live.js";\n([^`]*)```/)[1];
  const browser = new Browser();
  try {
    const page = { shown: "", resets: 0, loads: 0 };
    const log = { append: (...texts) => { page.shown += texts.join(""); } };
    const form = { text: { value: "hi" }, reset: () => { page.resets++; } };
    const reloaded = { reload: () => { page.loads++; } };
    new Function("connect", "log", "form", "location", "alert", lines)(connect, log, form, reloaded, assert.fail);

    browser.socket.open();
    const say = (frame) => browser.socket.receive(JSON.stringify(frame));
    say({ t: "welcome", id: "a", resumed: false, in: 0, at: { "": ["e", 0] }, win: 64, max: 65536, beat: 25 });
    say({ t: "join", s: "room", at: ["e", 0], seat: "" });
    say([1, "hello", "room"]);
    assert.equal(page.shown, "hello\n");

    let prevented = false;
    form.onsubmit({ preventDefault: () => { prevented = true; } });
    assert.ok(prevented);
    assert.deepEqual(browser.frames.at(-1), [1, "hi"]);
    say({ t: "ack", in: 1 });
    await settle();
    assert.equal(page.resets, 1);

    say({ t: "gap", s: "room", at: ["e", 9], why: "old" });
    assert.equal(page.loads, 1);
    assert.deepEqual(browser.errors, []);
  } finally {
    browser.close();
  }
});
