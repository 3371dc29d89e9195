// A stand-in until the catalog reader's door has it; nothing here outlives it.
export async function readLargeObjectDdl(_client: unknown): Promise<readonly string[]> {
  return [];
}
