import { plainBuffer } from '../chunker/cut-buffer.ts';
import { Cutter, cutsFrom, findCut, RowCutter } from '../chunker/index.ts';
import { plainRowTaker, type RowTaker, rowTaker } from '../engine/database/postgres/rows/row-taker.ts';

/**
 * How fast bytes are cut and rows are taken apart, by the definitions and by vectors, on one core. Goes by processor time,
 * the best of some runs, so that a machine that does other things too says much the same.
 */
const MB = 1e6;
const cuts = cutsFrom((label, length) => noise(length, label.length));
const key = noise(16, 3);

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** CopyData messages as a server sends them: rows of about 200 bytes with their places. */
function copyMessages(length: number): { messages: Uint8Array; rows: Uint8Array } {
  const messages: Buffer[] = [];
  const rows: Buffer[] = [];
  for (let bytes = 0, i = 0; bytes < length; i += 1) {
    const text = Buffer.from(noise(64, i + 1)).toString('hex');
    const row = `${i}\t${(i * 7919) % 1_000_003}\tcustomer ${i}\t${text} and what is the same in every row\t2026-01-01\n`;
    const line = Buffer.from(`(${i >>> 5},${1 + (i & 31)})\t${row}`);
    const head = Buffer.from('d....');
    head.writeUInt32BE(line.length + 4, 1);
    messages.push(head, line);
    rows.push(Buffer.from(row));
    bytes += row.length;
  }
  return { messages: Buffer.concat(messages), rows: Buffer.concat(rows) };
}

function measure(name: string, bytes: number, work: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 12; run += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, user + system);
  }
  console.log(`${name.padEnd(44)} ${(bytes / MB / (best / 1e6)).toFixed(0).padStart(6)} MB/s`);
}

function cutBySteps(bytes: Uint8Array, isCopied: boolean): void {
  const cutter = new Cutter(cuts.data);
  for (let at = 0; at < bytes.length; ) {
    const room = cutter.room(1 << 20);
    const part = bytes.subarray(at, at + room.length);
    if (isCopied) room.set(part);
    cutter.took(part.length);
    at += part.length;
    while (cutter.next());
  }
  while (cutter.next({ final: true }));
  cutter.release();
}

function cutRows(bytes: Uint8Array, options?: ConstructorParameters<typeof RowCutter>[2]): void {
  const cutter = new RowCutter(cuts.rows, cuts.data, options);
  for (let at = 0; at < bytes.length; at += 65_536)
    for (const _ of cutter.write(bytes.subarray(at, at + 65_536)));
  for (const _ of cutter.finish());
}

function takeRows(messages: Uint8Array, taker: RowTaker): void {
  for (let at = 0; at < messages.length; at += 65_536)
    for (const _ of taker.messages(messages.subarray(at, at + 65_536)));
  taker.release();
}

const random = noise(64 << 20, 1);
measure('cut, the definition', random.length, () => {
  for (let from = 0; from < random.length; ) from += findCut(random, cuts.data, { from, final: true });
});
measure('cut, with the copy of each byte', random.length, () => cutBySteps(random, true));
// On what the last run left in the memory.
measure('cut', random.length, () => cutBySteps(random, false));
const { messages, rows } = copyMessages(32 << 20);
measure('cut rows, the definition', rows.length, () => cutRows(rows, { newBuffer: plainBuffer }));
measure('cut rows', rows.length, () => cutRows(rows));
const onRow = (): void => {};
measure('take rows from messages, row by row', rows.length, () =>
  takeRows(messages, plainRowTaker({ key, hasPlaces: true, onRow })),
);
measure('take rows from messages', rows.length, () =>
  takeRows(messages, rowTaker({ key, hasPlaces: true, onRow })),
);
