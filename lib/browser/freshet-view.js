// <freshet-view src="/live/board/b1">: shows a view without any script of the page's author.
//
//   <freshet-view src="/live/counter">…</freshet-view>      the text itself; what is inside stands until it comes
//
//   <freshet-view src="/live/board/b1">
//     <template>
//       <h2 data-text="boardId"></h2>
//       <p data-each="tasks" data-text="title"></p>          once for each; paths inside begin at the task
//     </template>
//   </freshet-view>
//
// A path is names joined by dots; "." is the value itself. Several templates are filled one after the other.
// `mount`: if it is not "/live". `credentials`: for a mount of another origin, as fetch() has it. Each may be set,
// changed and removed at any time: what was shown goes at once, and what the author wrote inside stands again.
//
// The attribute data-status follows the view; data-filled is there while data is shown.
// <meta name="freshet-scope" content="user-7"> shares streams between tabs.
import { connect, live } from './freshet.js';

const connections = new Map();

function connectionOf(mount, credentials) {
  const key = `${mount} ${credentials}`;
  if (!connections.has(key)) {
    const scope = document.querySelector('meta[name="freshet-scope"]')?.content;
    // `live` is what the page's own scripts use: one stream for both.
    const isLive = mount === '/live' && !credentials;
    connections.set(key, isLive ? live : connect(mount, { scope, credentials }));
    if (isLive && scope) live.share(scope);
  }
  return connections.get(key);
}

// ---- templates ----

// Own properties only: "constructor.name" is not part of anybody's data.
function pick(value, path) {
  const step = (at, name) => (Object.hasOwn(Object(at), name) ? at[name] : undefined);
  return path === '.' ? value : path.split('.').reduce(step, value);
}

function fillEach(child, items) {
  const copies = document.createDocumentFragment();
  child.removeAttribute('data-each');
  for (const item of Array.isArray(items) ? items : []) {
    const copy = document.createDocumentFragment();
    copy.append(child.cloneNode(true));
    copies.append(fill(copy, item));
  }
  child.replaceWith(copies);
}

function fill(node, value) {
  for (const child of [...node.children]) {
    const { each, text } = child.dataset ?? {};
    if (each !== undefined) fillEach(child, pick(value, each));
    else if (text !== undefined) child.textContent = pick(value, text) ?? '';
    else fill(child, value);
  }
  return node;
}

// ---- the parser ----

// It is through with an element when something follows it, or what it is in; the template is there by then. Until
// then, what is put inside would be mixed with what it goes on to put there.
function isParsed(element) {
  for (let node = element; node; node = node.parentNode) if (node.nextSibling) return true;
  return document.readyState !== 'loading';
}

const unparsed = new Set();
const parsing = new MutationObserver(() => showParsed());
document.addEventListener('DOMContentLoaded', () => showParsed());

function showParsed() {
  for (const element of unparsed) if (isParsed(element)) element.render();
  if (unparsed.size === 0) parsing.disconnect();
}

// ---- the element ----

class FreshetView extends HTMLElement {
  static observedAttributes = ['src', 'mount', 'credentials'];

  // The newest data, and the nodes made of it.
  text;
  filled = new Set();
  // What the author wrote inside, beside templates, while something else is shown.
  placeholder = [];
  // Something was put inside by others: a template, perhaps.
  inside = new MutationObserver(() => this.text === undefined || this.render());

  connectedCallback() {
    // A clone of one that showed data has it, too, but nobody says that it may.
    if (this.hasAttribute('data-filled') && this.filled.size === 0) this.clear();
    this.inside.observe(this, { childList: true });
    this.follow();
  }

  disconnectedCallback() {
    this.follow();
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    this.close();
    this.follow();
  }

  // In a moment: an element that is moved leaves and comes back in one turn, and attributes are set one by one.
  follow() {
    queueMicrotask(() => {
      if (!this.isConnected || !this.hasAttribute('src')) this.close();
      else if (!this.view) this.open();
    });
  }

  open() {
    const mount = this.getAttribute('mount') ?? '/live';
    const credentials = this.getAttribute('credentials') ?? undefined;
    try {
      this.view = connectionOf(mount, credentials)(this.getAttribute('src'), { as: 'text' });
      this.unsubscribe = this.view.subscribe((view) => this.show(view));
    } catch (thrown) {
      // Not below the mount, or no URL at all.
      this.dataset.status = 'error';
      console.error(thrown);
    }
  }

  close() {
    this.unsubscribe?.();
    this.view?.close();
    this.view = this.unsubscribe = this.text = undefined;
    this.removeAttribute('data-status');
    this.clear();
  }

  show({ status, data }) {
    this.dataset.status = status;
    if (data === this.text) return;
    this.text = data;
    // Without data again: the streams are somebody else's now (share()).
    if (data === undefined) this.clear();
    else this.render();
  }

  render() {
    unparsed.delete(this);
    if (this.text === undefined) return;
    if (!isParsed(this)) {
      unparsed.add(this);
      parsing.observe(document, { childList: true, subtree: true });
      return;
    }
    const templates = this.templates();
    const made = document.createDocumentFragment();
    try {
      if (templates.length === 0) made.append(this.text);
      for (const { content } of templates) made.append(fill(content.cloneNode(true), JSON.parse(this.text)));
    } catch (thrown) {
      // What is no JSON fits no template. What is shown stays.
      this.dataset.status = 'stale';
      console.error(thrown);
      return;
    }
    const isOfOthers = (node) => !templates.includes(node) && !this.filled.has(node);
    this.placeholder.push(...[...this.childNodes].filter(isOfOthers));
    this.filled = new Set(made.childNodes);
    this.put(templates, made);
    this.dataset.filled = '';
  }

  // Nothing stays of what was shown.
  clear() {
    if (!this.hasAttribute('data-filled')) return;
    this.removeAttribute('data-filled');
    this.put(this.templates(), ...this.placeholder);
    this.filled.clear();
    this.placeholder = [];
  }

  templates() {
    return [...this.children].filter((child) => child.localName === 'template');
  }

  put(templates, ...nodes) {
    this.replaceChildren(...templates, ...nodes);
    // These changes are our own.
    this.inside.takeRecords();
  }
}

customElements.define('freshet-view', FreshetView);
