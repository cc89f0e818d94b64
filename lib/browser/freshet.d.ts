/** Why a view does not show the newest state, as the server said it or as the link showed it. */
export interface LiveError {
  /** A short name such as `forbidden`, `going-away`, `load-failed`; `bad-data`: what came could not be read or
   * folded; `refused`: the answer was not freshet's, say a page of a proxy, of a login or of an offline worker. It is
   * asked again. Absent when such an answer had a status of 5xx. */
  code?: string;
  /** For people; never internal text of the server. */
  message?: string;
  /** The HTTP status, when the view or the whole request was refused, or the answer was not freshet's. */
  status?: number;
  /** Where the answer came from, or is, when somebody redirected: to a page to sign in, perhaps. */
  location?: string;
  /** The server asked to come back after this time; null or absent: it did not. */
  retry_ms?: number | null;
  [more: string]: unknown;
}

/**
 * - `connecting`: nothing has come yet; what is shown, if anything, was rendered on the server
 * - `open`: what is shown is the newest state; also in a tab that another one tells
 * - `reconnecting`: the link is lost and tried again; the data is kept
 * - `stale`: the newest state could not be read (`error` says why); the data is kept
 * - `closed`: close(), or the server ended the view and does not want it back (`error` says why)
 * - `error`: refused for good, by freshet itself; `error` has the HTTP status and the code
 *
 * After `closed` and `error` only reload() tries again. All else is tried again, slower and slower up to 45 s, and at
 * once when the network or the tab comes back; `error` says what happened, if anybody knows.
 */
export type LiveStatus = 'connecting' | 'open' | 'reconnecting' | 'stale' | 'closed' | 'error';

export interface LiveOptions<Data, Chunk = Data> {
  /** `'text'`: chunks are the snapshot's text. Else they are read as JSON, for each view anew. */
  as?: 'text';
  /** Folds each snapshot into what is shown; without it the newest replaces. It must not change `acc`. */
  reduce?: (acc: Data, chunk: Chunk) => Data;
  /** What the first fold begins with, also after reload(); and `data` before it when there is no `fallback`. */
  initial?: Data;
  /** What `data` is until something has come. */
  fallback?: Data;
  /** Its result is what `data` is when the view was refused for good, and when there is an error and nothing has
   * come yet. Without it the fallback, or the last good data, stays. */
  errorFallback?: (error: LiveError) => Data;
  /** For views of messages: some were lost; null: nobody knows how many. */
  gap?: (lost: number | null) => void;
}

export interface LiveView<Data> {
  readonly data: Data | undefined;
  readonly status: LiveStatus;
  readonly error: LiveError | undefined;
  /** Calls back at once, and after each change of data, status or error. The result ends that. */
  subscribe(callback: (view: LiveView<Data>) => void): () => void;
  /** Asks for the whole state again, also after `closed` and `error`. The fold begins anew with what comes; until
   * then the data is kept. */
  reload(): void;
  /** Gives the view up. The data is kept. */
  close(): void;
}

export interface Live {
  /** Opens a view. What the server has rendered for it, with freshet_once_html() into a
   * `<script type="application/json" data-initial="/live/board/b1" data-version="…">`, is shown at once, and its version
   * asked with: the stream sends the newest only if that is another. The first view of a path takes it, once.
   *
   * `path` is the URL that `curl` would be given, absolute or relative to the page, or to the worker.
   * `/live/counter` is of the page's own host also where `<base>` is of another; other relative ones follow `<base>`.
   * Views on the same mount share one connection; views opened or closed in one turn change it once. Throws a
   * TypeError for a path that is not below the mount, a URIError for a bad `%`. */
  <Data = unknown, Chunk = Data>(path: string, options?: LiveOptions<Data, Chunk>): LiveView<Data>;
  /** Shares streams with the other tabs of this origin that gave the same scope, which says who the user is: one
   * tab then holds the streams of all. Null or another scope ends that: every view of this tab begins anew, without
   * the data it had. Where the browser has no Web Locks (it needs https or localhost), or its user has it keep
   * nothing of sites, each tab has its own. */
  share(scope: string | null | undefined): void;
}

export interface ConnectOptions {
  /** As if given to share(). */
  scope?: string | null;
  /** Of each request, as fetch() has it. `'include'` for cookies to a mount of another origin, which has to name this
   * page's in its list of origins. */
  credentials?: RequestCredentials;
  /** Used in place of fetch(), say to add headers. It must pass `init` on, above all `init.signal`. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Views of another mount than `/live`, say `https://api.example/live`. Each call has a connection of its own: call it
 * once for a page. */
export function connect(mount: string, options?: ConnectOptions): Live;

/** Views below `/live` of the page's own host. */
export const live: Live;

/** The event stream parser: takes pieces cut anywhere. Calls back with each event's type (`''` when it has none),
 * data and last id; with `':'` and the text of a comment; with `':retry'` and the milliseconds. */
export function parser(on: (type: string, data: string, id?: string) => void): (piece: Uint8Array) => void;
