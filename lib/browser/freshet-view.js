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
// A path is names joined by dots; "." is the value itself. `mount`: if it is not "/live". The attribute
// data-status follows the view. <meta name="freshet-scope" content="user-7"> shares streams between tabs.
import { connect, live } from './freshet.js';

const scope = document.querySelector('meta[name="freshet-scope"]')?.content;
const mounts = new Map([['/live', live]]);
if (scope) live.share(scope);

function mounted(mount) {
  if (!mounts.has(mount)) mounts.set(mount, connect(mount, { scope }));
  return mounts.get(mount);
}

// Own properties only: "constructor.name" is not part of anybody's data.
function pick(value, path) {
  for (const name of path === '.' ? [] : path.split('.')) value = Object.hasOwn(Object(value), name) ? value[name] : undefined;
  return value;
}

function fill(node, value) {
  for (const child of [...node.children]) {
    const { each, text } = child.dataset;
    if (each !== undefined) {
      const items = pick(value, each);
      child.removeAttribute('data-each');
      child.replaceWith(...(Array.isArray(items) ? items : []).map((item) => {
        const copy = document.createDocumentFragment();
        copy.append(child.cloneNode(true));
        return fill(copy, item);
      }));
    } else if (text !== undefined) child.textContent = pick(value, text) ?? '';
    else fill(child, value);
  }
  return node;
}

customElements.define('freshet-view', class extends HTMLElement {
  static observedAttributes = ['src', 'mount'];

  connectedCallback() {
    this.open();
  }

  disconnectedCallback() {
    this.view?.close();
    this.view = undefined;
  }

  attributeChangedCallback() {
    if (this.view) this.open();
  }

  open() {
    this.view?.close();
    const src = this.getAttribute('src');
    this.view = src === null ? undefined : mounted(this.getAttribute('mount') ?? '/live')(src, { as: 'text' });
    this.view?.subscribe((view) => this.show(view));
  }

  show({ status, data }) {
    this.dataset.status = status;
    if (data === undefined || data === this.shown) return;
    this.shown = data;
    const template = this.querySelector(':scope > template');
    if (template) this.replaceChildren(template, fill(template.content.cloneNode(true), JSON.parse(data)));
    else this.textContent = data;
  }
});
