// Read freshet.d.ts, then README.md.

const here = globalThis.document?.baseURI ?? 'http://x';
const later = (call, ms) => setTimeout(call, Math.min(ms + 50, 2e9));

export function parser(on) {
	const decoder = new TextDecoder();
	let rest = '', type = '', data, id = '', afterCr;
	const take = (line) => {
		const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line);
		if (!line) {
			if (data) on(type, data.join('\n'), id);
			type = '';
			data = undefined;
		} else if (name === 'data') (data ??= []).push(value);
		else if (name === 'event') type = value;
		else if (name === 'id' && !value.includes('\0')) id = value;
		else if (name === '' || name === 'retry') on(':' + name, value);
	};
	return (bytes) => {
		let text = decoder.decode(bytes, { stream: true });
		if (!text) return;
		if (afterCr && text[0] === '\n') text = text.slice(1);
		afterCr = text.endsWith('\r');
		const lines = text.split(/\r\n?|\n/);
		lines[0] = rest + lines[0];
		rest = lines.pop();
		lines.forEach(take);
	};
}

export function connect(mount, { scope, fetch: ask = fetch } = {}) {
	const base = new URL(mount, here);
	const entries = new Map();
	const links = [];
	let leading, room, me, held, release, channel, watch, queued, tabs;
	let heartbeat = 15000, retry = 1000;

	const post = (news) => channel?.postMessage(news);
	const change = () => {
		queued ??= Promise.resolve().then(sync);
	};
	const isOver = ({ status }) => status === 'closed' || status === 'error';

	const apply = (news) => {
		const entry = entries.get(news.view);
		if (!entry) return;
		const fresh = 'text' in news && !(news.first && news.version && news.version === entry.version);
		Object.assign(entry, news);
		for (const user of entry.users) user.take?.(news, fresh);
	};
	const tell = ({ view }, news) => {
		apply({ view, ...news });
		post({ view, ...news });
	};
	const lost = (list, error) => {
		for (const entry of list) {
			if (!isOver(entry)) tell(entry, { status: 'reconnecting', error: error ?? entry.error });
		}
	};
	const leave = (entry) => {
		const { link } = entry;
		clearTimeout(entry.timer);
		entry.link = entry.timer = undefined;
		if (link) link.dirty = link.set.delete(entry);
	};
	const finish = (entry, error, wait = error.retry_ms) => {
		if (entry.link.set.size < 2) change();
		leave(entry);
		if (wait != null) {
			entry.timer = later(() => {
				leave(entry);
				change();
			}, wait);
		}
		tell(entry, { status: wait != null ? 'reconnecting' : error.status ? 'error' : 'closed', error });
	};

	const run = async (link) => {
		const { set, streams } = link;
		const list = [...set];
		const one = list.length < 2 && list[0];
		const abort = new AbortController();
		const { signal } = abort;
		let timer, wait, error, final;
		const stop = (ms) => {
			clearTimeout(timer);
			wait = ms;
			abort.abort();
		};
		const stream = { asking: true, stop };
		streams.push(stream);
		const mine = () => list.filter((entry) => set.has(entry));
		const alive = () => {
			link.heard = Date.now();
			clearTimeout(timer);
			if (heartbeat) timer = later(stop, 2.5 * heartbeat);
			post({ wait: heartbeat });
		};
		const on = (type, data, id) => {
			if (signal.aborted) return;
			if (type === ':retry') retry = +data || retry;
			if (type === ':') heartbeat = +(/heartbeat=(\d+)/.exec(data)?.[1] ?? heartbeat);
			if (type[0] === ':' && data !== 'unchanged') return;
			const news = /^\w/.test(type) ? JSON.parse(data) : {};
			const entry = one || entries.get(news.view ?? type);
			if (type === 'end' && !news.view) {
				error = news;
				final = news.retry_ms == null;
				return stop(news.retry_ms);
			}
			link.tries = 0;
			while (streams[0] !== stream) streams.shift().stop();
			if (entry?.link !== link) return;
			if (type === 'end') finish(entry, news);
			else if (type === 'gap') tell(entry, { gap: news.lost });
			else if (type === 'load-error') tell(entry, { status: 'stale', error: news });
			else {
				const shown = { status: 'open', error: undefined, first: entry.stream !== stream };
				const [version, ...lines] = type ? data.split('\n') : [id, data];
				entry.stream = stream;
				tell(entry, lines.length ? { ...shown, version, text: lines.join('\n') } : shown);
			}
		};
		try {
			alive();
			const query = list.map(({ view, version }) => 'v=' + encodeURIComponent(view + '~' + version));
			const response = await ask(base.href + (one ? one.view : '?' + query.join('&')), {
				headers: one.version ? { 'last-event-id': one.version } : {},
				cache: 'no-store',
				signal,
			});
			const { status, headers } = response;
			stream.asking = false;
			if (link.dirty) change();
			if (status > 499 || status === 429) {
				error = { status };
				wait = headers.get('retry-after') * 1000 || undefined;
			} else if (status !== 200 || !/^text\/event-stream/.test(headers.get('content-type'))) {
				error = { code: 'refused', ...(await response.json().catch(() => 0)), status };
				final = true;
			} else {
				const reader = response.body.getReader();
				const feed = parser(on);
				while (!signal.aborted) {
					alive();
					const { done, value } = await reader.read();
					if (done) break;
					feed(value);
				}
			}
		} catch {}
		const at = streams.indexOf(stream);
		stop(wait);
		if (at < 0) return;
		streams.splice(at, 1);
		if (final) for (const each of mine()) finish(each, error, null);
		if (!at) lost(mine(), error);
		if (at < streams.length || !set.size) return change();
		wait ??= Math.min(retry * 2 ** link.tries++, Math.max(retry, 30000)) * (1 + Math.random() / 2);
		link.timer = later(() => open(link), wait);
		post({ wait });
	};
	const open = (link) => {
		const { set, streams } = link;
		clearTimeout(link.timer);
		link.timer = 0;
		if (!set.size) for (const stream of streams.splice(0)) stream.stop();
		else if (!streams.at(-1)?.asking) {
			if (streams[1]) streams.pop().stop();
			link.dirty = false;
			run(link);
		}
	};
	const check = () => {
		for (const link of links) {
			if (link.timer) open(link);
			else if (heartbeat && Date.now() - link.heard > 1.2 * heartbeat) link.streams[0]?.stop(0);
		}
	};

	const sync = () => {
		queued = undefined;
		for (const entry of entries.values()) {
			if (!entry.users.size) {
				leave(entry);
				entries.delete(entry.view);
			} else if (leading && !entry.link && !entry.timer && !isOver(entry)) {
				entry.link = links.find(({ set }) => set.size < 64);
				if (!entry.link) links.push((entry.link = { set: new Set(), streams: [], tries: 0 }));
				entry.link.set.add(entry);
				entry.link.dirty = true;
			}
		}
		for (const link of links) if (link.dirty) open(link);
		if (!leading) post({ from: me, want: [...entries.values()].map(({ view, version }) => [view, version]) });
	};
	const enter = (view, user, version = '') => {
		const entry = entries.get(view) ?? { view, version, status: 'reconnecting', users: new Set() };
		entries.set(view, entry);
		entry.users.add(user);
		change();
		return entry;
	};
	const renew = (view) => {
		const entry = entries.get(view);
		if (!leading) post({ renew: view });
		else if (entry) {
			leave(entry);
			tell(entry, { version: '', status: 'reconnecting', error: undefined });
			change();
		}
	};
	const halt = () => {
		for (const from in tabs) for (const entry of entries.values()) entry.users.delete(+from);
		for (const link of links.splice(0)) {
			for (const entry of link.set) leave(entry);
			open(link);
		}
	};

	const adopt = (from, want) => {
		const before = [...entries.values()].filter(({ users }) => users.delete(from));
		for (const [view, known] of want) {
			const entry = enter(view, from, known);
			const { version, text, status, error } = entry;
			const newer = version && version !== known && { version, text };
			if (isOver(entry) ? !before.includes(entry) : newer && text === undefined) renew(view);
			else post({ to: from, view, status, error, first: 1, ...newer });
		}
		change();
	};
	const hear = ({ data }) => {
		const { from, want, to = me } = data;
		if (leading) {
			if (want) {
				adopt(from, want);
				tabs[from] ??= navigator.locks.request(room + from, () => adopt(from, []));
			}
			if (data.renew) renew(data.renew);
			if (data.check) check();
			return;
		}
		if (data.lead) change();
		if (to === me) apply(data);
		if (data.wait) {
			clearTimeout(watch);
			watch = later(() => lead(true), (3 + 2 * Math.random()) * data.wait);
		}
	};
	const lead = (steal) => {
		const mine = me;
		navigator.locks.request(room, { steal }, () => {
			if (mine !== me) return;
			clearTimeout(watch);
			leading = true;
			tabs = {};
			lost(entries.values());
			post({ lead: true });
			change();
			return held;
		}).catch(() => {
			if (mine !== me) return;
			leading = false;
			halt();
			lead();
			change();
		});
	};
	const start = () => {
		const locks = globalThis.navigator?.locks;
		const mine = (me = Math.random());
		leading = !scope || !locks;
		if (leading) return;
		room = `freshet ${base} ${scope} `;
		held = new Promise((done) => (release = done));
		locks.request(room + me, () => {
			if (mine !== me) return;
			channel = new BroadcastChannel(room);
			channel.onmessage = hear;
			lead();
			change();
			return held;
		});
	};
	const wake = () => {
		if (leading) check();
		else post({ check: true });
	};
	globalThis.addEventListener?.('online', wake);
	globalThis.document?.addEventListener('visibilitychange', wake);

	const live = (path, { initial, reduce, fallback, errorFallback, as, gap } = {}) => {
		const { href, pathname, search } = new URL(path, here);
		if (!href.startsWith(base + '/')) throw new TypeError(`${href} is not below ${base}`);
		const name = pathname.slice(base.pathname.length)
			.replace(/[^/]+/g, (part) => encodeURIComponent(decodeURIComponent(part))) + search;
		const callbacks = new Set();
		let seen, anew, value, bad;
		const view = {
			subscribe(callback) {
				callbacks.add(callback);
				callback(view);
				return () => callbacks.delete(callback);
			},
			reload() {
				anew = true;
				enter(name, user);
				renew(name);
			},
			close() {
				entries.get(name)?.users.delete(user);
				user.take({ status: 'closed' });
				change();
			},
		};
		const user = {
			take(news, fresh) {
				if ('gap' in news) return gap?.(news.gap);
				let { status, error } = news;
				if (fresh) {
					try {
						const chunk = as === 'text' ? news.text : JSON.parse(news.text);
						value = reduce ? reduce(anew ? initial : value, chunk) : chunk;
						seen = true;
						anew = bad = undefined;
					} catch (thrown) {
						bad = { code: 'bad-data', message: `${thrown}` };
					}
				}
				if (bad && status === 'open') [status, error] = ['stale', bad];
				if (!seen && status === 'reconnecting') status = 'connecting';
				if (!fresh && status === view.status && error === view.error) return;
				let data = seen ? value : fallback ?? initial;
				if (error && errorFallback && (!seen || status === 'error')) data = errorFallback(error);
				Object.assign(view, { data, status, error });
				for (const callback of callbacks) {
					try {
						callback(view);
					} catch (thrown) {
						console.error(thrown);
					}
				}
			},
			begin() {
				seen = bad = undefined;
				anew = true;
				const { version, text, status, error } = enter(name, user);
				user.take({ text, status, error }, version && text !== undefined);
				if (isOver({ status }) || (version && !seen)) renew(name);
			},
		};
		user.begin();
		return view;
	};
	live.share = (next) => {
		if (next === scope) return;
		const users = [...entries.values()].flatMap((entry) => [...entry.users]);
		halt();
		entries.clear();
		clearTimeout(watch);
		release?.();
		channel?.close();
		channel = undefined;
		scope = next;
		start();
		for (const user of users) user.begin?.();
	};
	start();
	return live;
}

export const live = connect('/live');
