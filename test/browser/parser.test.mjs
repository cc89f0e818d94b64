// contract 5.3, 5.5: the event stream format, as the HTML standard has it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parser } from '../../lib/browser/freshet.js';

const bytes = (text) => new TextEncoder().encode(text);

function parse(pieces) {
  const seen = [];
  const feed = parser((...event) => seen.push(event));
  for (const piece of pieces) feed(piece);
  return seen;
}
const parseText = (text) => parse([bytes(text)]);

// Every way to cut in two, and byte by byte.
function assertAtEveryCut(text, expected) {
  const whole = bytes(text);
  for (let at = 0; at <= whole.length; at++) {
    assert.deepEqual(parse([whole.subarray(0, at), whole.subarray(at)]), expected, `cut at ${at}`);
  }
  assert.deepEqual(parse([...whole].map((byte) => Uint8Array.of(byte))), expected, 'byte by byte');
}

test('LF, CRLF and CR each end a line, wherever the stream is cut', () => {
  const lines = ['event: a', 'id: 1', 'data: x', 'data: y', '', 'data: z', '', ''];
  const expected = [['a', 'x\ny', '1'], ['', 'z', '1']];
  for (const end of ['\n', '\r\n', '\r']) assertAtEveryCut(lines.join(end), expected);
});

test('mixed line ends', () => {
  assertAtEveryCut('data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\n', [['', 'a\nb\nc', ''], ['', 'd', '']]);
});

test('a CR alone ends the event at once, without waiting for what follows', () => {
  assert.deepEqual(parseText('data: a\r\r'), [['', 'a', '']]);
});

test('UTF-8 is put together across pieces; a BOM at the beginning is dropped', () => {
  assertAtEveryCut('\ufeffdata: é€😀\n\n', [['', 'é€😀', '']]);
  assert.deepEqual(parseText('data: \ufeffx\n\n'), [['', '\ufeffx', '']]);
});

test('bad UTF-8 becomes a replacement character and nothing is lost', () => {
  assert.deepEqual(parse([Uint8Array.of(...bytes('data: a'), 0xff, ...bytes('b\n\n'))]), [['', 'a\ufffdb', '']]);
});

test('what looks like a line end and is none', () => {
  const text = 'a\u2028b\u2029c\u0085d\u000be\u0000f';
  assertAtEveryCut(`data: ${text}\n\n`, [['', text, '']]);
});

test('one space behind the colon is no part of the value', () => {
  assert.deepEqual(parseText('data:a\ndata: b\ndata:  c\ndata\ndata:\n\n'), [['', 'a\nb\n c\n\n', '']]);
});

test('comments, retry times and unknown fields', () => {
  assert.deepEqual(parseText(': freshet 1 heartbeat=15000\nretry: 700\nfoo: bar\nDATA: x\n\n:\n'),
    [[':', 'freshet 1 heartbeat=15000', ''], [':retry', '700', '']].map(([type, data]) => [type, data]).concat([[':', '']]));
});

test('no event without data; its name is forgotten', () => {
  assert.deepEqual(parseText('event: a\n\ndata: x\n\ndata\n\n'), [['', 'x', ''], ['', '', '']]);
});

test('the id stays for the events that follow; one with NUL is not taken', () => {
  assert.deepEqual(parseText('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n'), [['', 'a', '1'], ['', 'b', '1'], ['', 'c', '']]);
});

test('an event that the stream ends in is not given out', () => {
  assert.deepEqual(parseText('data: a\n\ndata: b\n'), [['', 'a', '']]);
});

test('a megabyte in one line and a megabyte in small lines', () => {
  const long = 'x'.repeat(1 << 20);
  const piece = 1460;
  const whole = bytes(`data: ${long}\n\n`);
  const pieces = [];
  for (let at = 0; at < whole.length; at += piece) pieces.push(whole.subarray(at, at + piece));
  const started = Date.now();
  assert.deepEqual(parse(pieces), [['', long, '']]);
  const lines = 'data: x\n'.repeat(1 << 17);
  assert.equal(parseText(`${lines}\n`)[0][1].length, 2 * (1 << 17) - 1);
  assert.ok(Date.now() - started < 5000, 'not in quadratic time');
});
