import {
  databaseMark,
  type EntryChange,
  printable,
  printableText,
  type RefChange,
  type SequenceChange,
  type TableChange,
} from '../../engine/index.ts';
import { exact, pathText, wholePath } from './entries.ts';
import { count, counted, size } from './quantities.ts';

const letters = { added: '+', removed: '-', content: 'C', metadata: 'M', kind: 'K' } as const;

export function entryChangeJson(change: EntryChange): Record<string, unknown> {
  const { how, root, before, after, fields } = change;
  const entry = (after ?? before)!;
  return {
    ...exact('path', wholePath({ root, entry })),
    change: how,
    type: entry.kind,
    ...(before ? { sizeBefore: before.content?.length ?? 0 } : {}),
    ...(after ? { sizeAfter: after.content?.length ?? 0 } : {}),
    metadata: fields,
  };
}

export function entryChangeLine({ how, root, before, after, fields }: EntryChange): string {
  const entry = (after ?? before)!;
  const slash = entry.kind === 'folder' ? '/' : '';
  const sizes =
    how === 'content' && before?.content && after?.content
      ? ` ${size(before.content.length)} -> ${size(after.content.length)}`
      : '';
  const beside = fields.length > 0 ? ` (${fields.join(', ')})` : '';
  return `${letters[how]} ${pathText({ root, entry })}${slash}${sizes}${beside}`;
}

const repositoryOf = ({ folder }: RefChange) =>
  folder.slice(folder.lastIndexOf('/') + 1) as RefChange['folder'];

export function refChangeJson(change: RefChange): Record<string, unknown> {
  const { root, folder, ref, before, after } = change;
  return {
    ...exact('repository', repositoryOf(change)),
    ...exact('path', wholePath({ root, entry: { path: folder } })),
    ...exact('ref', ref),
    before: before && printable(before),
    after: after && printable(after),
  };
}

export function refChangeLine(change: RefChange): string {
  const short = (value: RefChange['before']) =>
    value === null ? 'none' : /^[0-9a-f]{40,}$/.test(value) ? value.slice(0, 12) : printable(value);
  const { ref, before, after } = change;
  return `ref ${printable(repositoryOf(change))} ${printable(ref)}  ${short(before)} -> ${short(after)}`;
}

export function tableChangeJson(change: TableChange): Record<string, unknown> {
  const { schema, name, how, kind, rowsBefore, rowsAfter, added, removed, isDefinitionChanged } = change;
  return {
    schema,
    name,
    path: `${databaseMark}tables/${schema}/${name}`,
    change: how,
    type: kind,
    rowsBefore,
    rowsAfter,
    rowsAdded: added,
    rowsRemoved: removed,
    definitionChanged: isDefinitionChanged,
  };
}

export function tableChangeLine(change: TableChange): string {
  const { schema, name, how, rowsBefore, rowsAfter, added, removed } = change;
  const label = printableText(`${schema}.${name}`);
  if (how !== 'changed') return `table ${label}  ${how}, ${counted(rowsAfter ?? rowsBefore ?? 0, 'row')}`;
  const differ =
    added === null || removed === null
      ? 'changed, too many rows to be counted'
      : `${count(added)} added, ${count(removed)} removed`;
  const definition = change.isDefinitionChanged ? '; columns or kind changed' : '';
  return `table ${label}  ${count(rowsBefore ?? 0)} -> ${counted(rowsAfter ?? 0, 'row')}: ${differ}${definition}`;
}

export function sequenceChangeJson({ schema, name, before, after }: SequenceChange): Record<string, unknown> {
  return {
    schema,
    name,
    before: before === null ? null : String(before),
    after: after === null ? null : String(after),
  };
}

export const sequenceChangeLine = ({ schema, name, before, after }: SequenceChange): string =>
  `sequence ${printableText(`${schema}.${name}`)}  ${before ?? 'none'} -> ${after ?? 'none'}`;
