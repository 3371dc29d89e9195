import type { ChunkId, Content, Extent } from '../../../store/index.ts';
import type { BytePath } from '../paths.ts';
import { ByteArena, ContentArena, contentTag, idBytes, XattrSets } from './arena.ts';
import {
  alignBytes,
  type RememberedContent,
  type RememberedFacts,
  rememberedForm,
} from './remembered-form.ts';
import { type ColumnName, type Columns, columnKinds, columnNames, EntryTable, noDetail } from './table.ts';

/** What `rememberedRows` wrote. */
export interface RecalledRows {
  readonly table: EntryTable;
  readonly rootBody: Uint8Array;
  readonly newestNs: readonly (bigint | undefined)[];
}

/**
 * Makes a table of remembered rows, whose columns are the bytes themselves: they are the table's from here on. Undefined for
 * another form. The bytes must be those that were written: nothing is checked here.
 */
export function recalledRows(bytes: Uint8Array): RecalledRows | undefined {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const tailBytes = 8;
  if (whole.length < tailBytes || whole.byteOffset % alignBytes !== 0) return undefined;
  const [factsBytes, form] = new Uint32Array(new Uint8Array(whole.subarray(-tailBytes)).buffer);
  if (form !== rememberedForm) return undefined;
  const end = whole.length - tailBytes;
  const facts = JSON.parse(whole.toString('utf8', end - factsBytes!, end)) as RememberedFacts;
  const part = (name: string): Buffer => {
    const [from, length] = facts.places[name]!;
    return whole.subarray(from, from + length);
  };
  const columnOf = (name: ColumnName) => {
    const { buffer, byteOffset } = part(name);
    return [name, new columnKinds[name](buffer as ArrayBuffer, byteOffset, facts.count)] as const;
  };
  const table = EntryTable.of({
    count: facts.count,
    columns: Object.fromEntries(columnNames.map(columnOf)) as Columns,
    names: ByteArena.of(part('names')),
    contents: ContentArena.of(part('contents'), facts.others.map(contentOf)),
    xattrs: XattrSets.of(
      facts.xattrs.map(set =>
        set.map(([name, value]) => ({ name: name as BytePath, value: value as BytePath })),
      ),
    ),
    devices: new Map(facts.devices.map(([at, device]) => [at, BigInt(device)])),
  });
  return {
    table,
    rootBody: new Uint8Array(Buffer.from(facts.rootBody, 'hex')),
    newestNs: facts.newestNs.map(changed => (changed === null ? undefined : BigInt(changed))),
  };
}

function contentOf(remembered: RememberedContent): Content {
  const { length } = remembered;
  if ('list' in remembered) return { length, list: idOf(remembered.list) };
  return {
    length,
    extents: remembered.extents.map((extent): Extent => {
      if (typeof extent === 'number') return { kind: 'hole', length: extent };
      if (typeof extent === 'string') return { kind: 'inline', bytes: bytesOfHex(extent) };
      const [id, offset, size] = extent;
      return { kind: 'chunk', id: idOf(id), offset, length: size };
    }),
  };
}

const bytesOfHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const idOf = (text: string): ChunkId => bytesOfHex(text) as ChunkId;

/** The contents of all files of a table: the id of a whole chunk, valid until the next, or the content that is more. */
export function eachContent(
  table: EntryTable,
  take: { chunk(at: number, id: ChunkId): void; other(at: number, content: Content): void },
): void {
  const { count, columns, contents } = table.parts;
  const id = new Uint8Array(idBytes) as ChunkId;
  for (let at = 0; at < count; at++) {
    const position = columns.detail[at]!;
    if (!table.isFile(at) || position === noDetail) continue;
    const { bytes, from } = contents.block(position);
    const tag = bytes[from]!;
    if (tag === contentTag.other) take.other(at, contents.get(position, columns.size[at]!));
    else if (tag === contentTag.chunk) {
      for (let i = 0; i < idBytes; i++) id[i] = bytes[from + 1 + i]!;
      take.chunk(at, id);
    }
  }
}
