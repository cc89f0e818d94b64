import { Pane } from './page-pane.js';
import { showButtons } from './page-demo.js';

// One pane for the instance that this page is from, and one for its peer, if it has one: each with streams of its own.
const own = new Pane(new URL('.', document.baseURI), document.getElementById('panes'));
const panes = [own];
own.titles = true;

async function begin() {
  const { instance, peer, control } = await (await fetch('demo/config')).json();
  own.name(instance, peer ? 'this page' : '');
  if (peer) {
    document.body.classList.add('pair');
    document.getElementById('lead').textContent = 'Two instances, one Redis: what is done on one shows on both.';
    const other = new Pane(new URL('/', peer), document.getElementById('panes'));
    other.name(new URL(peer).host, 'other instance');
    panes.push(other);
    for (const pane of panes) pane.others = panes.filter((each) => each !== pane);
  }
  const token = new URLSearchParams(location.hash.slice(1)).get('demo');
  if (control && token) showButtons(control, token, panes);
}

// An instance that is just starting may refuse: its streams come back by themselves, and so does this.
async function beginAgain() {
  try {
    await begin();
  } catch {
    setTimeout(beginAgain, 1000);
  }
}
beginAgain();
