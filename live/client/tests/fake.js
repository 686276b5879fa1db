// A browser for tests: its clock, its WebSocket, its random numbers and its events are all the test's.

const turn = setImmediate; // the real one

// settle lets everything that is ready run.
export const settle = () => new Promise((done) => turn(done));

export class Browser {
  now = 0;
  random = 0.5;
  sockets = []; // all that were made, oldest first
  closes = []; // codes that the page has closed sockets with
  frames = []; // what the page has sent, and the test has not taken
  timers = new Map();
  events = new EventTarget();
  touched = []; // storage that was used
  errors = []; // that nobody has caught
  #ids = 0;
  #restore = [];

  constructor() {
    const browser = this;
    this.#set("WebSocket", class extends Socket {
      constructor(url, protocol) {
        super(browser, url, protocol);
        browser.sockets.push(this);
      }
    });
    this.#set("setTimeout", (f, ms = 0) => {
      this.timers.set(++this.#ids, { f, at: this.now + ms, id: this.#ids });
      return this.#ids;
    });
    this.#set("clearTimeout", (id) => { this.timers.delete(id); });
    this.#set("queueMicrotask", (f) => {
      try {
        f();
      } catch (error) {
        this.errors.push(error);
      }
    });
    this.#set("location", { href: "https://forum.test/threads?page=2#last" });
    this.#set("document", { visibilityState: "visible" });
    this.listening = new Set();
    this.#set("addEventListener", (name, f) => {
      this.listening.add(f);
      this.events.addEventListener(name, f);
    });
    this.#set("removeEventListener", (name, f) => {
      this.listening.delete(f);
      this.events.removeEventListener(name, f);
    });
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"]) {
      const touch = () => { this.touched.push(name); };
      this.#set(name, new Proxy({}, { get: touch, set: () => (touch(), true), has: touch }));
    }
    const random = Math.random;
    Math.random = () => this.random;
    this.#restore.push(() => { Math.random = random; });
  }

  #set(name, value) {
    const old = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      if (old) Object.defineProperty(globalThis, name, old);
      else delete globalThis[name];
    });
  }

  // close gives the real things back.
  close() {
    for (const restore of this.#restore.splice(0).reverse()) restore();
  }

  get socket() { return this.sockets.at(-1); }

  fire(name) { this.events.dispatchEvent(new Event(name)); }

  // advance lets the time pass, and runs the timers that come due in their order.
  async advance(ms) {
    const end = this.now + ms;
    for (;;) {
      await settle();
      const due = [...this.timers.values()].filter((timer) => timer.at <= end);
      if (!due.length) break;
      const next = due.reduce((a, b) => (b.at < a.at ? b : a));
      this.timers.delete(next.id);
      this.now = Math.max(this.now, next.at);
      next.f();
    }
    this.now = end;
    await settle();
  }
}

// A Socket does what the browser's WebSocket does, as far as a page can see it.
class Socket {
  readyState = 0;

  constructor(browser, url, protocol) {
    Object.assign(this, { browser, url, protocol });
  }

  send(text) {
    if (this.readyState === 0) throw new Error("InvalidStateError");
    if (this.readyState === 1) this.browser.frames.push(JSON.parse(text));
  }

  close(code, reason) {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error(`InvalidAccessError: ${code}`);
    if (new TextEncoder().encode(reason).length > 123) throw new Error("SyntaxError");
    if (this.readyState > 1) return;
    this.readyState = 2;
    this.browser.closes.push(code);
  }

  // What follows is what the server and the network do.

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  receive(data) { this.onmessage?.({ data }); }

  end(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

// numbers is a small generator of random numbers, so that a failure can be repeated.
export function numbers(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}
