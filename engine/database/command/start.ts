/** How much of a dump tells what it is. */
export const startBytes = 8;

const archives: readonly (readonly [name: string, magic: readonly number[], emptyBytes: number])[] = [
  ['gzip', [0x1f, 0x8b], 20],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd], 13],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a], 32],
  ['bzip2', [0x42, 0x5a, 0x68], 14],
];

const archiveOf = (start: Uint8Array) =>
  archives.find(([, magic]) => magic.every((byte, i) => start[i] === byte));

/** Empty lines alone, or what a compressor makes of nothing: a command before it in the pipe has failed, and nobody said so. */
export function holdsNothing(start: Uint8Array, length: number): boolean {
  if (length <= start.length && start.every(byte => byte === 0x0a || byte === 0x0d || byte === 0x20))
    return true;
  const archive = archiveOf(start);
  return archive !== undefined && length <= archive[2];
}

/** What is good to know of a dump that begins so. */
export function doubtsAbout(start: Uint8Array): string[] {
  const archive = archiveOf(start);
  if (!archive) return [];
  return [
    `The dump is compressed (${archive[0]}): each is stored in full. Leave the compression out of the dump command: the store compresses, and keeps what two dumps have in common once`,
  ];
}
