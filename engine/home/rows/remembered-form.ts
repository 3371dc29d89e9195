/** What of a table's rows is kept between runs, beside the columns themselves. */

/** What follows the columns, as JSON. Bytes are in hex. */
export interface RememberedFacts {
  readonly count: number;
  readonly rootBody: string;
  /** Where each column and arena lies: from, length in bytes. */
  readonly places: Readonly<Record<string, readonly [number, number]>>;
  readonly xattrs: readonly (readonly (readonly [string, string])[])[];
  readonly devices: readonly (readonly [number, string])[];
  readonly others: readonly RememberedContent[];
  /** The newest change of a settled row, by file system. */
  readonly newestNs: readonly (string | null)[];
}

export type RememberedContent =
  | { readonly length: number; readonly list: string }
  | {
      readonly length: number;
      readonly extents: readonly (number | string | readonly [string, number, number])[];
    };

/** A new form gets a new number: then the old one is not read. As a number of this machine, it also tells its byte order. */
export const rememberedForm = 0x53505201;
export const alignBytes = 8;
