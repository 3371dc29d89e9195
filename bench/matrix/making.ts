import type { Dice } from './dice.ts';
import type { ValueType } from './value-types.ts';

export interface Table {
  readonly schema: string;
  /** With its schema. */
  readonly name: string;
  /** An integer column that counts the rows from 1. */
  readonly counter: string;
  /** The counter where it is unique; else null. */
  readonly key: string | null;
  readonly columns: readonly { readonly name: string; readonly type: ValueType }[];
  readonly rows: number;
  readonly isPartitioned: boolean;
  /** An heir may leave all of its columns empty. */
  readonly isLoose: boolean;
  readonly isLogged: boolean;
}

/** What a random schema has so far. */
export interface Making {
  readonly dice: Dice;
  /** A quoted name that is nobody else's. */
  readonly name: () => string;
  /** A name in one of the schemas. */
  readonly qualified: () => string;
  readonly sql: string[];
  readonly types: ValueType[];
  readonly tables: Table[];
  /** Functions: `name(integer) → integer`, immutable. */
  readonly functions: string[];
  readonly triggerFunctions: string[];
  /** Views and tables that views can read: name and a column. */
  readonly readable: { readonly name: string; readonly column: string }[];
}
