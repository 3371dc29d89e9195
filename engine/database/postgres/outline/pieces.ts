import {
  type FoundName,
  keyOf,
  meaningful,
  type NameKey,
  nameOfKey,
  namesInStrings,
  qualifiedNames,
  type Token,
} from './names.ts';

/** Statements of definitions that belong together, and what they are about. */
export interface Piece {
  readonly sql: string;
  readonly about:
    | { readonly what: 'setting' }
    /** Of the server or the whole database: an event trigger, a publication, default privileges. */
    | { readonly what: 'database' }
    | { readonly what: 'schema'; readonly name: string }
    | { readonly what: 'extension'; readonly name: string; readonly schema: string | undefined }
    /** Foreign servers and what goes with them. */
    | { readonly what: 'foreign' }
    | {
        readonly what: 'object';
        /** Undefined: it has no name of its own, or none that can be looked up: a cast, an operator. */
        readonly name: NameKey | undefined;
        /** As `CREATE` has it; undefined: it makes no object of a name, but says something of one. */
        readonly kind: string | undefined;
        /** What else has a name by this: an index, a constraint, the sequence of an identity. */
        readonly makes: readonly NameKey[];
        /** Qualified names in it; which of them are names of objects is for others to say. */
        readonly mentions: readonly NameKey[];
        /** It ties things together, and goes without saying where one of them is not there. */
        readonly tie: 'partition' | 'owned' | 'key' | 'other' | undefined;
        /** A constraint or trigger of the object that it makes, or says something of. */
        readonly inner: { readonly name: string; readonly isMade: boolean } | undefined;
      };
}

const adjectives: ReadonlySet<string> = new Set([
  ...['or', 'replace', 'unlogged', 'foreign', 'materialized', 'recursive', 'unique', 'constraint', 'default'],
  ...['trusted', 'procedural', 'temporary', 'temp', 'text', 'search', 'only', 'if', 'not', 'exists'],
]);
/** What has a name of its own in a schema. */
const nouns: ReadonlySet<string> = new Set([
  ...[
    'table',
    'view',
    'sequence',
    'type',
    'domain',
    'function',
    'procedure',
    'aggregate',
    'collation',
    'conversion',
  ],
  ...[
    'configuration',
    'dictionary',
    'parser',
    'template',
    'index',
    'trigger',
    'rule',
    'policy',
    'statistics',
  ],
  ...['column', 'constraint', 'routine'],
]);
const isOnTable: ReadonlySet<string> = new Set(['index', 'trigger', 'rule', 'policy', 'statistics']);
const ofDatabase: ReadonlySet<string> = new Set([
  ...[
    'event',
    'publication',
    'subscription',
    'language',
    'access',
    'privileges',
    'database',
    'large',
    'role',
  ],
  ...['tablespace', 'parameter'],
]);

/** Puts statements into pieces, in their order. */
export function* piecesOf(statements: Iterable<string>): Generator<Piece> {
  let held: string[] | undefined;
  for (const sql of statements) {
    const tokens = meaningful(sql);
    const start = tokens.slice(0, 3).map(one => one.word);
    // Who gives a grant, the grant, and the way back.
    if (start[1] === 'session' && start[0] === 'set') held = [sql];
    else if (held && start[0] !== 'reset') held.push(sql);
    else if (held) {
      yield { ...pieceOf(held.at(-1)!, meaningful(held.at(-1)!)), sql: [...held, sql].join('') };
      held = undefined;
    } else yield pieceOf(sql, tokens);
  }
}

function pieceOf(sql: string, tokens: readonly Token[]): Piece {
  const [first, second] = tokens.map(one => one.word);
  switch (first) {
    case 'set':
      return { sql, about: { what: 'setting' } };
    case 'select': {
      const isSetting = tokens.some(one => one.word === 'set_config');
      return { sql, about: { what: isSetting ? 'setting' : 'database' } };
    }
    case 'do': {
      const alter = tokens.map(one => /\bALTER TYPE [\s\S]*$/.exec(one.text)?.[0]).find(Boolean) ?? '';
      return { ...about('alter', meaningful(alter).slice(1)), sql };
    }
    case 'create':
    case 'alter':
      return { ...about(first, tokens.slice(1)), sql };
    case 'comment':
    case 'security':
      return { ...about('say', tokens.slice(tokens.findIndex(one => one.word === 'on') + 1)), sql };
    case 'grant':
    case 'revoke':
      return { ...about('say', grantedOn(tokens)), sql };
    default:
      return { sql, about: { what: 'database' } }; // DROP SCHEMA public, and nothing else that a backup writes
  }
  function about(verb: 'create' | 'alter' | 'say', rest: readonly Token[]): Piece {
    return describe({ sql, verb, rest, all: tokens, isDefault: second === 'default' });
  }
}

/** A grant on a table need not say that it is one. */
function grantedOn(tokens: readonly Token[]): readonly Token[] {
  const on = tokens.slice(tokens.findIndex(one => one.word === 'on') + 1);
  const table: Token = { text: 'TABLE', word: 'table', name: 'table' };
  return on[1]?.text === '.' ? [table, ...on] : on;
}

interface Described {
  readonly sql: string;
  readonly verb: 'create' | 'alter' | 'say';
  /** From what the statement is about. */
  readonly rest: readonly Token[];
  readonly all: readonly Token[];
  readonly isDefault: boolean;
}

function describe({ sql, verb, rest, all, isDefault }: Described): Piece {
  const words = rest.map(one => one.word ?? '');
  if (ofDatabase.has(words[0] ?? '') || isDefault) return { sql, about: { what: 'database' } };
  if (words[0] === 'schema') return { sql, about: { what: 'schema', name: rest[1]?.name ?? '' } };
  if (words[0] === 'extension') {
    const at = rest.findIndex((one, i) => i > 0 && !adjectives.has(one.word ?? ''));
    const schema = rest[words.indexOf('schema') + 1];
    return {
      sql,
      about: {
        what: 'extension',
        name: rest[at]?.name ?? '',
        schema: words.includes('schema') ? schema?.name : undefined,
      },
    };
  }
  if (words[0] === 'server' || words[0] === 'user' || (words[0] === 'foreign' && words[1] !== 'table'))
    return { sql, about: { what: 'foreign' } };
  const noun =
    words[0] === 'constraint' && words[1] !== 'trigger'
      ? 0 // what is said of one
      : words.findIndex(word => word !== '' && !adjectives.has(word));
  const kind = words[noun] ?? '';
  const isFamily = kind === 'operator' && ['class', 'family'].includes(words[noun + 1] ?? '');
  const hasName = nouns.has(kind) || isFamily;
  const names = qualifiedNames(rest);
  const isRoutine = verb === 'create' && ['function', 'procedure'].includes(kind);
  const mentions = [...names.map(one => one.key), ...(isRoutine ? [] : namesInStrings(all))];
  const naming = { verb, kind, rest, words, names };
  const own = hasName ? ownName(naming) : undefined;
  const makesIt = verb === 'create' && (kind === 'operator' || own === names[0]?.key) && !isOnTable.has(kind);
  return {
    sql,
    about: {
      what: 'object',
      name: own,
      kind: makesIt ? kindText(words, noun, isFamily) : undefined,
      makes: madeBy({ ...naming, own }),
      mentions,
      tie: own === undefined ? 'other' : tieOf(naming),
      inner: innerOf(naming),
    },
  };
}

function kindText(words: readonly string[], noun: number, isFamily: boolean): string {
  const kind = words[noun] ?? '';
  if (isFamily) return `operator ${words[noun + 1]}`;
  return ['foreign', 'materialized'].includes(words[noun - 1] ?? '') ? `${words[noun - 1]} ${kind}` : kind;
}

interface Naming {
  readonly verb: Described['verb'];
  readonly kind: string;
  readonly rest: readonly Token[];
  readonly words: readonly string[];
  readonly names: readonly FoundName[];
}

/** The object of a schema that a statement belongs to. */
function ownName({ verb, kind, words, names }: Naming): NameKey | undefined {
  if (verb !== 'create' || !isOnTable.has(kind)) return names[0]?.key;
  const before: Readonly<Record<string, string>> = { rule: 'to', statistics: 'from' };
  const wanted = before[kind] ?? 'on';
  return names.find(({ at }) => {
    const back = words[at - 1] === 'only' ? at - 2 : at - 1;
    return words[back] === wanted;
  })?.key;
}

function madeBy({
  verb,
  kind,
  rest,
  words,
  names,
  own,
}: Naming & { readonly own: NameKey | undefined }): NameKey[] {
  if (own === undefined) return [];
  const { schema } = nameOfKey(own);
  const inSchema = (token: Token | undefined): NameKey[] => (token?.name ? [keyOf(schema, token.name)] : []);
  if (verb === 'create' && kind === 'index')
    return inSchema(rest[words.findIndex(word => word !== 'index' && !adjectives.has(word))]);
  if (verb === 'create' && kind === 'statistics') return names.slice(0, 1).map(one => one.key);
  const after = (...wanted: readonly string[]): number =>
    words.findIndex((_, i) => wanted.every((word, j) => words[i + j] === word)) + wanted.length;
  if (verb === 'create' && words.includes('multirange_type_name'))
    return names.filter(({ at }) => at === after('multirange_type_name') + 1).map(one => one.key);
  if (verb === 'alter' && words.includes('generated'))
    return names
      .filter(({ at }) => words[at - 1] === 'name' && words[at - 2] === 'sequence')
      .map(one => one.key);
  if (verb === 'alter' && words.includes('add') && words.includes('constraint'))
    return inSchema(rest[after('add', 'constraint')]);
  return [];
}

/** By what follows the name: a check says `NO INHERIT`, too. */
function tieOf({ verb, words, names }: Naming): 'partition' | 'owned' | 'key' | 'other' | undefined {
  if (verb !== 'alter') return undefined;
  const [first, second, , fourth] = words.slice((names[0]?.at ?? 0) + 3);
  if (first === 'attach' && second === 'partition') return 'partition';
  if (first === 'inherit') return 'other';
  if (first === 'owned' && second === 'by') return 'owned';
  return first === 'add' && second === 'constraint' && fourth === 'foreign' ? 'key' : undefined;
}

function innerOf({ verb, kind, rest, words, names }: Naming): { name: string; isMade: boolean } | undefined {
  const named = (at: number, isMade: boolean) => {
    const name = rest[at]?.name;
    return name === undefined ? undefined : { name, isMade };
  };
  if (kind === 'trigger') return named(words.indexOf('trigger') + 1, verb === 'create');
  if (verb === 'say') return kind === 'constraint' ? named(1, false) : undefined;
  const at = (names[0]?.at ?? 0) + 3;
  const [first, second, third] = words.slice(at);
  if (first === 'add' && second === 'constraint') return named(at + 2, true);
  if (first !== 'enable' && first !== 'disable') return undefined;
  if (second === 'trigger') return named(at + 2, false);
  return third === 'trigger' ? named(at + 3, false) : undefined;
}
