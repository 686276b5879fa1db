// A live socket: a connection that comes back by itself, with every message once and in order. It speaks the protocol
// live.1, which PROTOCOL.md describes.

const FINAL = [4400, 4401, 4403, 4408, 4409, 4429]; // close codes after which coming back is of no use
const COMEBACK = 4000; // the close code of a client that will resume
const SILENT = 20_000; // how long a connection may take until it is welcome, in ms
const QUIET = 10_000; // how long a connection has to last, so that the next break is the first one again, in ms
const ACK_AFTER = 1000; // what has arrived is acknowledged after this time, in ms,
const ACK_EVERY = 32; // or after so many messages

const failure = (code, text) => Object.assign(new Error(text), { code });

// The error of a listener is the page's to see, but must not stop the connection.
const report = (error) => queueMicrotask(() => { throw error; });

export function connect(url, { queue: bound = 1000 } = {}) {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace("http", "ws");

  const listeners = { message: new Set(), gap: new Set(), state: new Set(), member: new Set() };
  const at = new Map(); // stream → [epoch, number of the last message that arrived]
  const news = new Set(); // streams with messages that have arrived and are not acknowledged
  let fresh = 0; // how many these are
  let queue = []; // what was sent and is not answered, oldest first; number 0: not on its way
  let last = 0; // the last number that is on its way
  let state, socket, id;
  let win, beat;
  let max = Infinity;
  let tries = 0;
  let comeback, silence, quiet, due; // timers

  function emit(name, event) {
    for (const listener of [...listeners[name]]) {
      try {
        listener(event);
      } catch (error) {
        report(error);
      }
    }
  }

  function become(now, code, reason) {
    state = now;
    emit("state", { state, code, reason });
  }

  const write = (frame) => socket?.send(JSON.stringify(frame));

  function dial() {
    if (socket) drop("bye");
    clearTimeout(comeback);
    comeback = 0;
    if (state === "closed") return; // by a listener that heard of the bye
    socket = new WebSocket(address.href, "live.1");
    socket.onopen = () => write(id ? { t: "hello", id, at: Object.fromEntries(at) } : { t: "hello" });
    socket.onmessage = ({ data }) => {
      listen();
      try {
        receive(JSON.parse(data));
      } catch {
        drop("protocol");
      }
    };
    socket.onclose = ({ code, reason }) => lost(code, reason);
    beat = 0;
    listen();
    become("connecting");
  }

  // A connection that is silent for too long is dead, though nothing has closed it.
  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => drop("silence"), beat * 2500 || SILENT);
  }

  // The browser may take minutes to close a dead connection, so its end is not waited for.
  function drop(reason) {
    discard(COMEBACK, reason);
    lost(COMEBACK, reason);
  }

  function discard(code, reason) {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code, reason);
  }

  function lost(code, reason) {
    forget();
    if (FINAL.includes(code)) return finish(code, reason);
    if (!comeback) {
      const most = Math.min(20_000, 200 * 2 ** ++tries);
      comeback = setTimeout(dial, 200 + Math.random() * (most - 200));
    }
    become("offline", code, reason);
  }

  // forget ends what belongs to one connection.
  function forget() {
    socket = null;
    news.clear();
    fresh = 0;
    for (const timer of [silence, quiet, due]) clearTimeout(timer);
    due = 0;
  }

  function finish(code, reason) {
    clearTimeout(comeback);
    for (const name of ["online", "pageshow", "visibilitychange"]) globalThis.removeEventListener?.(name, wake);
    reject(queue.splice(0), "closed", reason || "closed");
    become("closed", code, reason);
  }

  function wake({ type }) {
    const hidden = type === "visibilitychange" && document.visibilityState !== "visible";
    if (state === "offline" && !hidden) dial();
  }

  function receive(frame) {
    if (Array.isArray(frame)) {
      const [number, data, stream = ""] = frame;
      if (frame.length < 2) throw 0;
      if (arrived(stream, number)) emit("message", { stream, number, data });
      return;
    }
    const { t, s: stream } = frame;
    if (t === "welcome") welcome(frame);
    if (t === "ack") answered(frame.in);
    if (t === "no") refused(frame);
    if (t === "join") at.set(stream, place(frame.at));
    if (t === "part") part(stream);
    if (t === "gap") {
      part(stream);
      at.set(stream, place(frame.at));
      emit("gap", { stream, why: frame.why });
    }
    if (t === "member" && arrived(stream, frame.n)) {
      emit("member", { stream, number: frame.n, event: frame.e, who: frame.who, seat: frame.seat || "" });
    }
    if (t === "beat") {
      acknowledge();
      write({ t });
    }
    if (t === "bye") {
      const [from, to] = frame.after;
      clearTimeout(comeback);
      comeback = setTimeout(dial, from + Math.random() * (to - from));
    }
  }

  const place = ([epoch, number]) => [epoch, number];

  // arrived moves the position of a stream, and tells whether the number is new. A stream that is not known and a hole
  // are errors: the server sends again from the position.
  function arrived(stream, number) {
    const position = at.get(stream);
    if (number <= position[1]) return false;
    if (number !== position[1] + 1) throw 0;
    position[1] = number;
    news.add(stream);
    if (++fresh >= ACK_EVERY) acknowledge();
    else due ||= setTimeout(acknowledge, ACK_AFTER);
    return true;
  }

  function acknowledge() {
    clearTimeout(due);
    due = 0;
    if (news.size) write({ t: "ack", at: Object.fromEntries([...news].map((stream) => [stream, at.get(stream)[1]])) });
    news.clear();
    fresh = 0;
  }

  function part(stream) {
    at.delete(stream);
    news.delete(stream);
  }

  function welcome(frame) {
    const reset = id && !frame.resumed;
    if (frame.resumed) {
      answered(frame.in);
    } else {
      const places = Object.entries(frame.at).map(([stream, position]) => [stream, place(position)]);
      at.clear();
      for (const [stream, position] of places) at.set(stream, position);
      reject(take((m) => m.number), "unknown", "the connection was lost before the answer");
    }
    ({ id, in: last, win, max, beat } = frame);
    listen();
    for (const m of queue) m.number = 0;
    reject(take((m) => m.size > max), "large", "too large");
    quiet = setTimeout(() => { tries = 0; }, QUIET);
    become("open");
    if (reset && state === "open") emit("gap", { stream: "", why: "reset" });
    flush();
  }

  // take removes messages from the queue, and returns them.
  function take(which) {
    const taken = queue.filter(which);
    queue = queue.filter((m) => !taken.includes(m));
    return taken;
  }

  function reject(messages, code, text) {
    for (const m of messages) m.reject(failure(code, text));
  }

  function answered(number) {
    for (const m of take((m) => m.number && m.number <= number)) m.resolve();
    flush();
  }

  function refused({ n, code, text }) {
    reject(take((m) => m.number === n), code, text);
    flush();
  }

  // flush sends what waits, as far as the window allows.
  function flush() {
    if (state !== "open") return;
    for (const m of queue.slice(0, win)) {
      if (m.number) continue;
      m.number = ++last;
      socket.send(`[${last},${m.text}]`);
    }
  }

  function send(value) {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify(value) ?? "null"; // now, since the value may change later
      const size = new TextEncoder().encode(text).length;
      if (state === "closed") throw failure("closed", "closed");
      if (size > max) throw failure("large", "too large");
      if (queue.length >= bound) throw failure("full", "too many messages wait");
      queue.push({ text, size, resolve, reject, number: 0 });
      flush();
    });
  }

  function on(name, listener) {
    const own = (event) => listener(event); // so that a function may be registered twice
    listeners[name].add(own);
    return () => { listeners[name].delete(own); };
  }

  function close() {
    if (state === "closed") return;
    if (state === "open") write({ t: "end" });
    if (socket) discard(1000, "");
    forget();
    finish(1000, "");
  }

  for (const name of ["online", "pageshow", "visibilitychange"]) globalThis.addEventListener?.(name, wake);
  dial();
  return {
    on,
    send,
    close,
    get state() { return state; },
    get id() { return id; },
  };
}
