// The buttons of the demo: they ask bridge/demo, which stops and starts things. Only a page whose
// URL ends with #demo=<token> shows them; what is behind the # is never sent to a server.

const restMs = 2000;
const waitMs = 150; // while something is on its way
const giveUpMs = 15000;
const texts = {
  redis: { up: 'Redis runs again.', down: 'Redis is gone. Both keep what they show, and changes are refused.' },
  instance: { up: 'The instance runs again.', down: 'The instance is gone. The other goes on.' },
};

export function showButtons(control, token, panes) {
  const box = document.getElementById('demo');
  const note = document.getElementById('demo-note');
  const switches = [...box.querySelectorAll('.switch')];
  let wanted = null; // { what, up, since } that was asked for and is not so yet
  let timer = 0;

  async function ask(path) {
    const response = await fetch(`${control}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(response.status === 403 ? 'These buttons belong to a demo that has ended.' : answer.error);
    return answer;
  }

  function show(state) {
    for (const each of switches) {
      const { what } = each.dataset;
      const button = each.querySelector('button');
      const up = state?.[what];
      each.dataset.state = up === undefined ? 'unknown' : up ? 'up' : 'down';
      button.textContent = up === false ? 'Start' : 'Stop';
      button.disabled = up === undefined || wanted !== null;
      if (what === 'instance' && state) each.querySelector('.what').textContent = `Instance ${new URL(state.url).host}`;
      button.ariaLabel = `${button.textContent} ${each.querySelector('.what').textContent}`;
    }
  }

  // What was asked for is so now. Panes that wait for their next try need not: the page knows better.
  function arrive() {
    if (wanted.up) globalThis.dispatchEvent(new Event('online'));
    note.textContent = texts[wanted.what][wanted.up ? 'up' : 'down'];
    wanted = null;
  }

  async function look() {
    clearTimeout(timer);
    try {
      const state = await ask('state');
      if (wanted && state[wanted.what] === wanted.up) arrive();
      if (wanted && performance.now() - wanted.since > giveUpMs) {
        wanted = null;
        note.textContent = 'The demo’s script did not do it: see its terminal.';
      }
      show(state);
    } catch (error) {
      wanted = null;
      show(null);
      note.textContent = error instanceof TypeError ? 'The demo does not answer.' : error.message;
    }
    timer = setTimeout(look, wanted ? waitMs : restMs);
  }

  for (const each of switches) {
    each.querySelector('button').addEventListener('click', async () => {
      const up = each.dataset.state === 'down';
      const { what } = each.dataset;
      wanted = { what, up, since: performance.now() };
      for (const other of switches) other.querySelector('button').disabled = true;
      if (up) for (const pane of panes) pane.expect();
      try {
        await ask(`${what}/${up ? 'start' : 'stop'}`);
      } catch {
        // What comes next asks again, and says what is wrong.
      }
      look();
    });
  }
  box.hidden = false;
  look();
}
