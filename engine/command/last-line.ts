const keptBytesMax = 8 * 1024;
const lineMax = 1_000;

/** Remembers the last line of an output that is not blank, however much there is before it. */
export class LastLine {
  #kept: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    const all = Buffer.concat([this.#kept, bytes]);
    const trimmed = all.length > keptBytesMax ? all.subarray(all.length - keptBytesMax) : all;
    this.#kept = Buffer.from(trimmed);
  }

  /** Trimmed, with control characters as spaces. Of a longer line the first 1,000 characters that are still known. */
  get text(): string {
    const lines = this.#kept
      .toString('utf8')
      .split(/[\r\n]+/)
      .map(line => line.replace(/[\u0000-\u001f\u007f]/g, ' ').trim());
    return (lines.filter(line => line !== '').at(-1) ?? '').slice(0, lineMax);
  }
}
