// Views that stay live. freshet.d.ts says what each export does, README.md how all of this works.
//
//   parser      bytes of an event stream into events
//   Stream      one request, from its beginning to its end
//   Link        views that share a stream, and when it is asked for again
//   Connection  what is known of each path below a mount, and who wants to know
//   Tab         this tab's part among those that share streams: one leads, the others follow
//   View        what the page is shown
//
// The library serves this file without its comments and indentation.

// On one stream: the server takes no more.
const maxViews = 64;
const versionLength = 32;
// Of a URL. nginx and Apache take a request line of 8 KB, others 8 KB for the whole head, which has cookies, too,
// and proxies may write a URL longer than it came: half of that is safe, and enough for 64 views of ordinary paths.
const maxUrl = 4096;
const maxBackoffMs = 30000;
const maxRetryAfterMs = 600000;
const defaultHeartbeatMs = 15000;
// How long a tab that leads may be silent before it is asked whether it is still there.
const maxPatienceMs = 2500;
const maxKeptMs = 5000;
// How often a page takes the lead from others. Tabs that do not understand each other, of a site before and after a
// deploy, would do so for ever.
const maxSteals = 3;

// Never at once, so that nothing goes round without a pause; and a timer of more than 24 days would ring at once.
const later = (call, ms) => setTimeout(call, Math.min(Math.max(ms, 50), 2e9));
const withJitter = (ms) => ms * (1 + Math.random() / 2);

// Calls what the page gave. What it throws must not reach the streams of others.
function guarded(call, ...values) {
  try {
    return call?.(...values);
  } catch (thrown) {
    console.error(thrown);
  }
}

function readObject(json) {
  try {
    const value = JSON.parse(json);
    return typeof value === 'object' && value ? value : undefined;
  } catch {
    return undefined;
  }
}

// What a difference makes of a text: its pieces are new ones, and where some of the text begin and end. Undefined: it
// is none, or of another text.
function patch(text, pieces) {
  try {
    return JSON.parse(pieces).map((piece) => (typeof piece === 'string' ? piece : text.slice(...piece))).join('');
  } catch {
    return undefined;
  }
}

// A path from the root is one of the page's own host, whatever <base> says. All else follows <base>, as links do.
function resolve(url) {
  const { document, location, origin } = globalThis;
  const own = [origin, location?.href, 'http://localhost'];
  const bases = /^\/(?!\/)/.test(url) ? own : [document?.baseURI, location?.href, ...own];
  return new URL(url, bases.find((base) => /^https?:/.test(base)));
}

// ---- the event stream format ----

export function parser(on) {
  const decoder = new TextDecoder();
  let unfinished = '';
  let endedInCr = false;
  let type = '', data, id = '';

  const takeLine = (line) => {
    const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line);
    if (line === '') {
      if (data) on(type, data.join('\n'), id);
      type = '';
      data = undefined;
    } else if (name === 'data') (data ??= []).push(value);
    else if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === '' || name === 'retry') on(`:${name}`, value);
  };

  return (piece) => {
    let text = decoder.decode(piece, { stream: true });
    if (text === '') return;
    // The CR at the end of the last piece has already ended a line.
    if (endedInCr && text[0] === '\n') text = text.slice(1);
    endedInCr = text.endsWith('\r');
    const lines = text.split(/\r\n?|\n/);
    lines[0] = unfinished + lines[0];
    unfinished = lines.pop();
    lines.forEach(takeLine);
  };
}

// ---- one request ----

// What an answer means that is no stream. Only freshet refuses for good, and its refusals are JSON with a code. What
// a proxy, a deploy, a login page or an offline worker says will be over some time.
async function readRefusal(response) {
  const { status, headers, redirected, url } = response;
  const isJson = /^application\/json\b/i.test(headers.get('content-type'));
  const said = isJson && readObject(await response.text());
  const isOurs = typeof said?.code === 'string';
  const isTooLong = status === 414 || status === 431;
  const error = { ...(isOurs ? said : status < 500 && { code: 'refused' }), status };
  if (redirected) error.location = url;
  return {
    error,
    isTooLong,
    isFinal: isOurs && status >= 400 && status < 500 && status !== 429 && !isTooLong,
    waitMs: Math.min(headers.get('retry-after') * 1000, maxRetryAfterMs),
  };
}

class Stream {
  isAsking = true;
  hasHeard = false;
  hasEnded = false;
  heardAt = Date.now();
  abort = new AbortController();

  constructor(link) {
    const members = [...link.members];
    this.link = link;
    this.connection = link.connection;
    // The versions that the request says are held.
    this.asked = new Map(members.map((member) => [member, member.version]));
    this.single = members.length === 1 ? members[0] : undefined;
  }

  // Never rejects: how it ended is what stop() tells the link.
  async run() {
    let outcome;
    try {
      this.touch();
      const response = await this.request();
      this.isAsking = false;
      if (this.link.isChanged) this.connection.change();
      if (response.status === 200 && /^text\/event-stream\b/i.test(response.headers.get('content-type'))) {
        await this.read(response.body.getReader());
      } else outcome = await readRefusal(response);
    } catch {
      // No answer, or it broke off. Nobody knows more than that; it is tried again.
    }
    this.stop(outcome);
  }

  request() {
    const { ask, root, credentials } = this.connection;
    const query = () => [...this.asked].map(([{ path }, version]) => queryOf(path, version)).join('&');
    const held = this.asked.get(this.single);
    return ask(this.single ? root + this.single.path : `${root}?${query()}`, {
      headers: { accept: `text/event-stream;differences=1${this.connection.accept}`, ...(held && { 'last-event-id': held }) },
      cache: 'no-store',
      credentials,
      signal: this.abort.signal,
    });
  }

  async read(reader) {
    const feed = parser((...event) => this.take(...event));
    while (!this.hasEnded) {
      this.touch();
      const { done, value } = await reader.read();
      if (done) return;
      this.hasHeard = true;
      feed(value);
    }
  }

  // A sign of life: the next one comes within a heartbeat. The answer has to come even where there are none, and its
  // first bytes come with it; else something on the way keeps back what is in gzip.
  touch() {
    const { connection, isAsking, hasHeard } = this;
    const beatMs = connection.heartbeatMs || (isAsking && defaultHeartbeatMs);
    const isKept = !isAsking && !hasHeard;
    this.heardAt = Date.now();
    clearTimeout(this.watchdog);
    if (!beatMs || this.hasEnded) return;
    this.watchdog = later(() => {
      if (isKept) connection.accept = ';gzip=0';
      this.stop();
    }, isKept ? Math.min(2.5 * beatMs, maxKeptMs) : 2.5 * beatMs);
  }

  // `outcome`: error, waitMs if a time was told, isFinal, isTooLong. Only the first call counts.
  stop(outcome = {}) {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.watchdog);
    this.abort.abort();
    this.link.ended(this, outcome);
  }

  // Events of other names are of a newer server, and no matter of ours.
  take(type, data, id) {
    const { connection, single } = this;
    if (this.hasEnded) return;
    if (type === ':retry') connection.retryMs = (/^\d+$/.test(data) && +data) || connection.retryMs;
    else if (type === ':') {
      connection.heartbeatMs = +(/\bheartbeat=(\d+)/.exec(data)?.[1] ?? connection.heartbeatMs);
      if (data === 'unchanged') this.takeState(single);
    } else if (type === '') this.takeState(single, id, data);
    else if (type === 'difference') {
      const [from, pieces] = data.split('\n');
      this.takeState(single, id, pieces, from);
    } else if (type[0] === '/') {
      const [versions, ...lines] = data.split('\n');
      const [version, from] = versions.split(' ');
      const text = lines.length > 0 ? lines.join('\n') : undefined;
      this.takeState(connection.subscriptions.get(type), version, text, from);
    } else if (/^(end|gap|load-error)$/.test(type)) this.takeNotice(type, readObject(data));
  }

  // Without text: what is held is the newest. With `from` it is a difference to the text of that version.
  takeState(subscription, version, said, from) {
    this.link.proved(this);
    if (subscription?.link !== this.link) return;
    const { path, version: held, stream } = subscription;
    const mayBeHeld = stream !== this;
    subscription.stream = this;
    const whole = held === from ? patch(subscription.text, said) : undefined;
    const text = from ? whole : said;
    if (text !== undefined) this.connection.tell(subscription, { status: 'open', version, text, mayBeHeld });
    // It speaks of what the request said. The stream before this one may have brought something else since.
    else if (from ? held !== version : mayBeHeld && held !== this.asked.get(subscription)) this.connection.reload(path);
    else this.connection.tell(subscription, { status: 'open', version: held });
  }

  takeNotice(type, notice) {
    if (!notice) return;
    const { view, retry_ms: waitMs } = notice;
    const isEnd = type === 'end';
    if (isEnd && !view) return this.stop({ error: notice, waitMs, isFinal: waitMs == null });
    this.link.proved(this);
    const subscription = this.single ?? this.connection.subscriptions.get(view);
    if (subscription?.link !== this.link) return;
    if (isEnd) this.connection.finish(subscription, notice);
    else this.connection.tell(subscription, type === 'gap' ? { gap: notice.lost } : { status: 'stale', error: notice });
  }
}

// ---- views that share a stream ----

// A slash needs no encoding in a query; most of a path is slashes and letters.
const queryOf = (path, version) => `v=${encodeURIComponent(`${path}~${version}`).replaceAll('%2F', '/')}`;

class Link {
  members = new Set();
  // Of the query that names all members, each with a version: what they hold later must not make it too long.
  length = 0;
  // The members are not those that the newest stream was asked for.
  isChanged = false;
  // A stream for the members as they are now is asked for beside the current one, and takes its place with its first
  // event.
  current;
  next;
  failures = 0;
  timer;
  dueAt = 0;

  constructor(connection) {
    this.connection = connection;
  }

  hasRoomFor({ length }) {
    const { size } = this.members;
    return size === 0 || (size < maxViews && this.length + length <= this.connection.maxQuery);
  }

  add(subscription) {
    this.members.add(subscription);
    this.length += subscription.length;
    this.isChanged = true;
    subscription.link = this;
  }

  remove(subscription) {
    this.members.delete(subscription);
    this.length -= subscription.length;
    this.isChanged = true;
    subscription.link = undefined;
  }

  // Asks for a stream for the members as they are now. A request that has no answer yet is left alone, so that changes
  // in quick succession cost one more, not many.
  refresh() {
    const { current, next } = this;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.members.size === 0) return this.close();
    if ((next ?? current)?.isAsking) return;
    const stream = new Stream(this);
    this.isChanged = false;
    if (current) this.next = stream;
    else this.current = stream;
    next?.stop();
    stream.run();
  }

  close() {
    const { current, next } = this;
    clearTimeout(this.timer);
    this.current = this.next = this.timer = undefined;
    current?.stop();
    next?.stop();
    this.connection.links.delete(this);
  }

  // There was an event on the stream.
  proved(stream) {
    const { current } = this;
    this.failures = 0;
    if (stream !== this.next) return;
    this.current = stream;
    this.next = undefined;
    current.stop();
  }

  ended(stream, { error, waitMs, isFinal, isTooLong }) {
    const { connection, members } = this;
    const wasCurrent = stream === this.current;
    if (!wasCurrent && stream !== this.next) return;
    if (wasCurrent) this.current = this.next;
    this.next = undefined;
    if (isTooLong && members.size > 1) return this.split();
    for (const member of stream.asked.keys()) {
      if (member.link !== this) continue;
      if (isFinal) connection.finish(member, error);
      else if (wasCurrent) connection.lost(member, error);
    }
    if (isFinal || members.size === 0) connection.change();
    else if (!wasCurrent || !this.current) this.wait(waitMs);
  }

  // Something on the way takes no URL as long as this: half of it, for all that come later, too.
  split() {
    const { connection } = this;
    connection.maxQuery = Math.min(connection.maxQuery, this.length / 2);
    for (const member of [...this.members].reverse()) {
      if (this.members.size > 1 && this.length > connection.maxQuery) this.remove(member);
    }
    connection.change();
  }

  wait(toldMs) {
    const { retryMs } = this.connection;
    const backoffMs = withJitter(Math.min(retryMs * 2 ** this.failures++, Math.max(retryMs, maxBackoffMs)));
    const ms = toldMs > 0 ? toldMs : backoffMs;
    clearTimeout(this.timer);
    this.dueAt = Date.now() + ms;
    this.timer = later(() => this.refresh(), ms);
  }

  // Urgent: somebody looks again, or the network is back. That is no time to go on waiting, or to trust a stream that
  // was silent. Else what timers should have done by now: those of a tab in the background, or of a machine that
  // slept, are late. A clock that was set back makes a stream silent, too.
  attend(isUrgent) {
    const { current, connection } = this;
    if (this.timer && (isUrgent || Date.now() >= this.dueAt)) this.refresh();
    const silentBeats = Math.abs(Date.now() - current?.heardAt) / connection.heartbeatMs;
    if (connection.heartbeatMs && silentBeats > (isUrgent ? 1.2 : 2.5)) current.stop({ waitMs: 1 });
  }
}

// ---- what is known of each path, and who wants to know ----

const isOver = ({ status }) => status === 'closed' || status === 'error';

// Elements that were taken: who comes later must not be shown what was rendered long ago.
const taken = new WeakSet();

class Connection {
  // By path: what is known, the link that brings it, and its users. These are views of this tab, and the ids of tabs
  // that this one tells.
  subscriptions = new Map();
  links = new Set();
  heartbeatMs = defaultHeartbeatMs;
  accept = '';
  retryMs = 1000;
  steals = 0;

  constructor(mount, { scope, credentials, fetch: ask = (...request) => fetch(...request) } = {}) {
    this.root = resolve(mount).href.replace(/\/+$/, '');
    this.maxQuery = maxUrl - this.root.length - 1;
    Object.assign(this, { scope, credentials, ask });
    this.begin();
    this.watchPage();
  }

  // Each segment gets its one form: two ways to write a path are one subscription.
  pathOf(url) {
    const { href, origin, pathname, search } = resolve(url);
    if (!href.startsWith(`${this.root}/`)) throw new TypeError(`${href} is not below ${this.root}`);
    const below = pathname.slice(this.root.length - origin.length);
    return below.replace(/[^/]+/g, (segment) => encodeURIComponent(decodeURIComponent(segment))) + search;
  }

  // What the server has rendered into the page, once.
  findRendered(path) {
    for (const element of globalThis.document?.querySelectorAll('script[data-initial]') ?? []) {
      try {
        if (taken.has(element) || this.pathOf(element.dataset.initial) !== path) continue;
        taken.add(element);
        const { version } = element.dataset;
        const text = JSON.parse(element.textContent);
        if (version && typeof text === 'string') return { text, version, status: 'connecting' };
      } catch {
        // It is below another mount, or was not made by freshet_once_html().
      }
    }
    return undefined;
  }

  enter(path, user, version = '') {
    const length = queryOf(path, '').length + versionLength + 1;
    const fresh = { path, length, version, status: 'reconnecting', users: new Set() };
    const subscription = this.subscriptions.get(path) ?? Object.assign(fresh, this.findRendered(path));
    this.subscriptions.set(path, subscription);
    subscription.users.add(user);
    this.change();
    return subscription;
  }

  // ---- links that bring what is wanted ----

  // All changes of one turn are one.
  change() {
    this.changing ??= Promise.resolve().then(() => this.settle());
  }

  settle() {
    this.changing = undefined;
    for (const subscription of this.subscriptions.values()) {
      const { users, path, link, timer } = subscription;
      if (users.size === 0) {
        this.detach(subscription);
        this.subscriptions.delete(path);
      } else if (this.tab.isLeading && !link && !timer && !isOver(subscription)) this.attach(subscription);
    }
    for (const link of this.links) if (link.isChanged) link.refresh();
    this.tab.ask();
  }

  attach(subscription) {
    const link = [...this.links].find((each) => each.hasRoomFor(subscription)) ?? new Link(this);
    link.add(subscription);
    this.links.add(link);
  }

  detach(subscription) {
    clearTimeout(subscription.timer);
    subscription.timer = undefined;
    subscription.link?.remove(subscription);
  }

  // The server has ended a view, for good or for a time. The others on its stream go on.
  finish(subscription, error) {
    const waitMs = error.retry_ms;
    if (subscription.link.members.size === 1) this.change();
    this.detach(subscription);
    if (waitMs == null) return this.tell(subscription, { status: error.status ? 'error' : 'closed', error });
    subscription.timer = later(() => {
      this.detach(subscription);
      this.change();
    }, waitMs > 0 ? waitMs : this.retryMs);
    this.tell(subscription, { status: 'reconnecting', error });
  }

  // Has the whole state of a path sent again.
  reload(path) {
    const subscription = this.subscriptions.get(path);
    if (!subscription) return;
    if (this.tab.isLeading) this.detach(subscription);
    this.tell(subscription, { status: 'reconnecting', error: undefined, version: '' });
    this.tab.ask({ reload: path });
    this.change();
  }

  // ---- what is told ----

  tell({ path }, news) {
    this.tab.tell({ path, ...news });
    this.apply({ path, ...news });
  }

  lost(subscription, error = subscription.error) {
    const status = subscription.status === 'connecting' && !error ? 'connecting' : 'reconnecting';
    if (!isOver(subscription)) this.tell(subscription, { status, error });
  }

  allLost() {
    for (const subscription of this.subscriptions.values()) this.lost(subscription);
  }

  // To the views of this tab. `news` has a status with its error and perhaps a version and a text; or a gap.
  apply({ path, ...news }) {
    const subscription = this.subscriptions.get(path);
    if (!subscription) return;
    const { status, version, text } = news;
    if (status === 'open' && text === undefined && version !== subscription.version) {
      // The tab that leads has something newer.
      news.status = 'reconnecting';
      this.tab.ask();
    }
    if (status) {
      // The same error, told again, is no change.
      if (JSON.stringify(news.error) === JSON.stringify(subscription.error)) news.error = subscription.error;
      subscription.status = news.status;
      subscription.error = news.error;
    }
    if (text !== undefined || version === '') Object.assign(subscription, { version, text });
    for (const user of [...subscription.users]) if (subscription.users.has(user)) user.take?.(news);
  }

  // ---- tabs that this one tells ----

  // What a tab wants from now on, with the versions that it holds. The result is what it doesn't know yet.
  adopt(tab, wanted) {
    const before = [...this.subscriptions.values()].filter(({ users }) => users.delete(tab));
    const news = [];
    for (const [path, held] of wanted) {
      const subscription = this.enter(path, tab, held);
      const { status, error, version } = subscription;
      const isNewer = version && version !== held;
      const text = isNewer ? subscription.text : undefined;
      // Who comes after a refusal may have a reason to.
      if (isOver(subscription) ? !before.includes(subscription) : isNewer && text === undefined) this.reload(path);
      else news.push({ path, status, error, version, text, mayBeHeld: true });
    }
    this.change();
    return news;
  }

  share(scope) {
    if ((scope ?? undefined) === (this.scope ?? undefined)) return;
    const users = [...this.subscriptions.values()].flatMap((subscription) => [...subscription.users]);
    this.subscriptions.clear();
    this.scope = scope;
    this.begin();
    for (const user of users) user.begin?.();
  }

  // ---- the page comes and goes ----

  begin() {
    this.pause();
    this.isPaused = false;
    this.tab = new Tab(this, this.scope ? `freshet ${this.root} ${this.scope} ` : undefined);
  }

  // A page that is frozen, or in the back-forward cache, would keep its locks from all others, and the browser throws
  // it away when a message comes for it.
  pause() {
    this.isPaused = true;
    this.tab?.leave();
    for (const link of this.links) link.close();
    for (const subscription of this.subscriptions.values()) {
      this.detach(subscription);
      for (const user of subscription.users) if (!user.take) subscription.users.delete(user);
    }
    this.allLost();
  }

  wake() {
    if (this.isPaused) this.begin();
    else if (this.tab.isLeading) this.attend(true);
    else this.tab.ask({ isUrgent: true });
  }

  attend(isUrgent) {
    for (const link of this.links) link.attend(isUrgent);
  }

  watchPage() {
    // In the capturing phase a window gets its document's events, too. A worker has no such events but `online`.
    const on = (type, call) => globalThis.addEventListener?.(type, call, true);
    for (const type of ['pagehide', 'freeze']) on(type, () => this.pause());
    for (const type of ['pageshow', 'resume', 'online']) on(type, () => this.wake());
    on('visibilitychange', () => document.hidden || this.wake());
  }
}

// ---- tabs that share streams ----

// A tab holds two kinds of locks. Its own says that it is there: the tab that leads is given it when it goes. The
// room's is the lead. Who leads has the streams; the others say which paths they want, and are told what comes.
//
// On the channel, from who follows: { from, want: [[path, version held]...], reload: path, isUrgent }. From who leads:
// { by, wait: heartbeat in ms, lead: begins to, to: id if for one only, news: [...] as Connection.apply() takes it }.
class Tab {
  id = Math.random().toString(36).slice(2);
  isLeading = false;
  leader;
  // How often the leader was silent or did not answer since it last spoke.
  unanswered = 1;
  followers = new Set();
  departure = new AbortController();
  // Locks are held until this resolves.
  stay = new Promise((done) => this.departure.signal.addEventListener('abort', done));

  constructor(connection, room) {
    const locks = room && globalThis.navigator?.locks;
    Object.assign(this, { connection, room, locks, signal: this.departure.signal });
    if (locks) this.join();
    else this.goAlone();
  }

  async join() {
    this.watch();
    try {
      await this.locks.request(this.room + this.id, { signal: this.signal }, () => {
        if (this.signal.aborted) return undefined;
        this.channel = new BroadcastChannel(this.room);
        this.channel.onmessage = ({ data }) => this.hear(data);
        this.ask();
        this.queue({ signal: this.signal });
        return this.stay;
      });
    } catch {
      // The user, or the browser's settings, refuse locks or channels.
      this.goAlone();
    }
  }

  leave() {
    this.isLeading = false;
    clearTimeout(this.watchdog);
    this.departure.abort();
    this.channel?.close();
    this.channel = undefined;
  }

  goAlone() {
    if (this.signal.aborted) return;
    this.leave();
    this.isLeading = true;
    this.connection.change();
  }

  // ---- the lead ----

  async queue(options) {
    try {
      await this.locks.request(this.room, options, () => this.lead());
    } catch {
      // The lead was taken from this tab, which hung; or there are no locks after all.
      if (this.isLeading) this.resign();
      else this.goAlone();
    }
  }

  steal() {
    this.connection.steals++;
    this.queue({ steal: true });
  }

  lead() {
    if (this.signal.aborted) return undefined;
    clearTimeout(this.watchdog);
    this.isLeading = true;
    this.post({ lead: true });
    this.connection.allLost();
    this.connection.change();
    return this.stay;
  }

  // Comes again, to follow.
  resign() {
    if (!this.signal.aborted) this.connection.begin();
  }

  // ---- what is said ----

  post(message) {
    this.channel?.postMessage({ by: this.id, wait: this.connection.heartbeatMs, ...message });
  }

  tell(news) {
    if (this.isLeading) this.post({ news: [news] });
  }

  ask(more) {
    if (this.isLeading) return;
    const want = [...this.connection.subscriptions.values()].map(({ path, version }) => [path, version]);
    this.channel?.postMessage({ from: this.id, want, ...more });
  }

  hear(message) {
    if (!message.from) this.follow(message);
    else if (this.isLeading) this.serve(message);
  }

  serve({ from, want, reload, isUrgent }) {
    const { connection, followers, locks, signal } = this;
    if (!followers.has(from)) {
      followers.add(from);
      locks.request(this.room + from, { signal }, () => connection.adopt(from, [])).catch(() => {});
    }
    connection.reload(reload);
    this.post({ to: from, news: connection.adopt(from, want) });
    connection.attend(isUrgent);
  }

  // Who hung and led before may still speak: only the one that took the lead last is believed.
  follow({ by, wait, lead, to = this.id, news = [] }) {
    if (this.isLeading) return lead && this.resign();
    if (!lead && by !== (this.leader ?? by)) return undefined;
    this.leader = by;
    this.unanswered = 0;
    this.connection.heartbeatMs = wait;
    this.watch();
    if (lead) {
      this.connection.allLost();
      this.ask();
    }
    if (to === this.id) for (const each of news) this.connection.apply(each);
  }

  // One that leads and hangs, or is frozen, answers nobody. It is asked twice, then the lead is taken from it. Where
  // even that leads nowhere, a tab helps itself.
  watch() {
    const { connection } = this;
    const patienceMs = Math.max(Math.min(connection.heartbeatMs || maxPatienceMs, maxPatienceMs), 300);
    clearTimeout(this.watchdog);
    this.watchdog = later(() => {
      this.unanswered++;
      if (this.unanswered > (this.channel && connection.steals < maxSteals ? 4 : 2)) return this.goAlone();
      if (this.unanswered > 1) this.leader = undefined;
      if (this.unanswered === 3) this.steal();
      else this.ask();
      this.watch();
    }, withJitter(patienceMs));
  }
}

// ---- what the page is shown ----

class View {
  listeners = new Set();
  face = {
    subscribe: (callback) => {
      const listener = () => guarded(callback, this.face);
      this.listeners.add(listener);
      listener();
      return () => this.listeners.delete(listener);
    },
    reload: () => {
      this.isAnew = true;
      this.version = '';
      this.connection.enter(this.path, this);
      this.connection.reload(this.path);
    },
    close: () => {
      this.connection.subscriptions.get(this.path)?.users.delete(this);
      this.connection.change();
      this.take({ status: 'closed' });
    },
  };

  constructor(connection, path, options = {}) {
    Object.assign(this, { connection, path, options });
    this.begin();
  }

  // `version` is of what was folded last, `problem` why that could not be read or folded. `isAnew`: the fold begins
  // with options.initial.
  begin() {
    Object.assign(this, { version: '', value: undefined, hasValue: false, isAnew: true, problem: undefined });
    const { version, text, status, error } = this.connection.enter(this.path, this);
    this.take({ status, error, version, text: version ? text : undefined });
    if (isOver({ status }) || (version && text === undefined)) this.connection.reload(this.path);
  }

  take(news) {
    if ('gap' in news) return guarded(this.options.gap, news.gap);
    const { version, text, mayBeHeld } = news;
    const isNew = text !== undefined && !(mayBeHeld && version && version === this.version);
    if (isNew) this.fold(version, text);
    let { status, error } = news;
    if (this.problem && status === 'open') [status, error] = ['stale', this.problem];
    if (!this.hasValue && status === 'reconnecting') status = 'connecting';
    if (isNew || status !== this.face.status || error !== this.face.error) this.show(status, error);
  }

  fold(version, text) {
    const { as, reduce, initial } = this.options;
    this.version = version;
    try {
      const chunk = as === 'text' ? text : JSON.parse(text);
      this.value = reduce ? reduce(this.isAnew ? initial : this.value, chunk) : chunk;
      this.hasValue = true;
      this.isAnew = false;
      this.problem = undefined;
    } catch (thrown) {
      this.problem = { code: 'bad-data', message: `${thrown}` };
    }
  }

  show(status, error) {
    const { fallback, initial, errorFallback } = this.options;
    let data = this.hasValue ? this.value : fallback ?? initial;
    if (error && errorFallback && (!this.hasValue || status === 'error')) data = guarded(errorFallback, error);
    Object.assign(this.face, { data, status, error });
    for (const listener of [...this.listeners]) if (this.listeners.has(listener)) listener();
  }
}

export function connect(mount, options) {
  const connection = new Connection(mount, options);
  const live = (url, viewOptions) => new View(connection, connection.pathOf(url), viewOptions).face;
  live.share = (scope) => connection.share(scope);
  return live;
}

export const live = connect('/live');
