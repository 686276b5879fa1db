// Types of the browser module live.js.

/** What a connection is doing: on its way, in use, broken until the next try, or ended for good. */
export type State = "connecting" | "open" | "offline" | "closed";

/** A message from the server. */
export interface Message<T = unknown> {
  /** The channel that it was sent to; empty: it was sent to this socket alone. */
  stream: string;
  /** Its number in the stream. Within a stream numbers have no holes, unless a gap was told. */
  number: number;
  data: T;
}

/** Messages of a stream that will not arrive. What the page knows of the stream may be out of date: load it again. */
export interface Gap {
  /** The channel; empty: the socket's own stream. */
  stream: string;
  /**
   * Why: "old", the messages are older than the server keeps; "behind", the page was too slow; "reset", the stream is
   * another one. A reset of the socket's own stream means that this is a new socket with another id: it is in no
   * channel, and sends that had no answer were rejected with the code "unknown".
   */
  why: string;
}

/** What happened to a member of a channel. It has its place among the channel's messages, the same for all members. */
export interface Member {
  /** The channel. */
  stream: string;
  /** Its number in the channel's stream. */
  number: number;
  event: "joined" | "full" | "away" | "back" | "left";
  /** The id of the socket that it happened to. */
  who: string;
  /** The seat; empty: a place without a name. */
  seat: string;
}

/** A new state. */
export interface StateChange {
  state: State;
  /** With "offline" and "closed": the code that the connection was closed with. */
  code?: number;
  reason?: string;
}

/**
 * Why a send was rejected. The server's handler can give codes of its own; the module's are:
 * "full", too many messages wait; "large", the message is larger than the server takes; "closed", the connection has
 * ended for good; "unknown", the message was sent, and its answer is lost: it was handled or it was not.
 */
export interface SendError extends Error {
  code: string;
}

export interface Events<T = unknown> {
  message: Message<T>;
  gap: Gap;
  state: StateChange;
  member: Member;
}

/** A socket. It outlives its connections: when one breaks, the next one goes on where it was. */
export interface Live<T = unknown> {
  /**
   * Calls listener with each event of this name, in order. The returned function removes it. What a listener throws is
   * reported as an uncaught error, and harms nothing.
   */
  on<Name extends keyof Events<T>>(name: Name, listener: (event: Events<T>[Name]) => void): () => void;
  /**
   * Sends a value as JSON. The promise resolves when the server has handled it, once, whatever happens to the
   * connection meanwhile. It rejects with a SendError, or with the error of JSON.stringify.
   */
  send(value: unknown): Promise<void>;
  readonly state: State;
  /** The id of the socket, once the server has given one. It is public, and kept in memory only. */
  readonly id: string | undefined;
  /** Ends the socket for good, at once. Sends without an answer are rejected. */
  close(): void;
}

export interface Options {
  /** How many messages may wait for their answer; beyond it send rejects with the code "full". Defaults to 1000. */
  queue?: number;
}

/** Connects to a live endpoint. The url may be relative to the page; http and https become ws and wss. */
export function connect<T = unknown>(url: string | URL, options?: Options): Live<T>;
