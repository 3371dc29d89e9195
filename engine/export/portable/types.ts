import { SqlCursor } from '../../database/postgres/sql/cursor.ts';
import { type Declared, type DeclaredType, nameKey } from '../../database/postgres/sql/declared.ts';

/** A type by a name that is no vendor's, and what of it matters to another database. */
export interface NeutralType {
  readonly type:
    | 'integer'
    | 'decimal'
    | 'float'
    | 'boolean'
    | 'text'
    | 'binary'
    | 'date'
    | 'time'
    | 'time with time zone'
    | 'timestamp'
    | 'timestamp with time zone'
    | 'interval'
    | 'uuid'
    | 'json'
    | 'xml'
    | 'array'
    | 'range'
    | 'composite'
    | 'other';
  readonly bits?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly maxLength?: number;
  /** Of a text that has a few values only. */
  readonly values?: readonly string[];
  /** Of an array. */
  readonly of?: NeutralType;
}

const plain: Readonly<Record<string, NeutralType>> = {
  smallint: { type: 'integer', bits: 16 },
  integer: { type: 'integer', bits: 32 },
  bigint: { type: 'integer', bits: 64 },
  oid: { type: 'integer', bits: 64 },
  real: { type: 'float', bits: 32 },
  'double precision': { type: 'float', bits: 64 },
  numeric: { type: 'decimal' },
  boolean: { type: 'boolean' },
  text: { type: 'text' },
  'character varying': { type: 'text' },
  character: { type: 'text', maxLength: 1 },
  name: { type: 'text' },
  '"char"': { type: 'text' },
  bytea: { type: 'binary' },
  date: { type: 'date' },
  time: { type: 'time' },
  'time without time zone': { type: 'time' },
  'time with time zone': { type: 'time with time zone' },
  timestamp: { type: 'timestamp' },
  'timestamp without time zone': { type: 'timestamp' },
  'timestamp with time zone': { type: 'timestamp with time zone' },
  interval: { type: 'interval' },
  uuid: { type: 'uuid' },
  json: { type: 'json' },
  jsonb: { type: 'json' },
  xml: { type: 'xml' },
  ...Object.fromEntries(
    ['int4', 'int8', 'num', 'ts', 'tstz', 'date'].flatMap(name => [
      [`${name}range`, { type: 'range' }],
      [`${name}multirange`, { type: 'range' }],
    ]),
  ),
};

const modified = /^(.*?)\((\d+)(?:,(-?\d+))?\)(.*)$/;

/** A domain is what it is made of, an enum a text. What nobody knows is text as PostgreSQL writes it: `other`. */
export function neutralType(type: string, types: Declared['types'], depth = 0): NeutralType {
  if (depth > 32) return { type: 'other' }; // a domain of itself: no server has one
  if (type.endsWith('[]')) {
    const of = neutralType(type.replace(/(\[\])+$/, ''), types, depth + 1);
    return { type: 'array', of };
  }
  const [, before, first, second, behind = ''] = modified.exec(type) ?? [];
  const name = before === undefined ? type : `${before}${behind}`;
  const known = plain[name];
  if (known && first !== undefined) return withModifier(known, Number(first), Number(second ?? 0));
  if (known) return known;
  const made = types.get(keyOfType(type));
  return made ? madeType(made, types, depth) : { type: 'other' };
}

function withModifier(known: NeutralType, first: number, second: number): NeutralType {
  if (known.type === 'decimal') return { ...known, precision: first, scale: second };
  if (known.type === 'text') return { ...known, maxLength: first };
  return { ...known, precision: first };
}

function madeType(made: DeclaredType, types: Declared['types'], depth: number): NeutralType {
  switch (made.kind) {
    case 'enum':
      return { type: 'text', values: made.values };
    case 'domain':
      return neutralType(made.of, types, depth + 1);
    case 'composite':
      return { type: 'composite' };
    case 'range':
      return { type: 'range' };
    default:
      return made satisfies never;
  }
}

function keyOfType(type: string): string {
  const name = new SqlCursor(type).name();
  return name ? nameKey(name) : '';
}
