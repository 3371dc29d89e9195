/** An identifier as SQL wants it; always quoted, so that no keyword and no case matters. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.name`, quoted. */
export function qualified(relation: { readonly schema: string; readonly name: string }): string {
  return `${identifier(relation.schema)}.${identifier(relation.name)}`;
}

/** A string constant; safe whatever standard_conforming_strings says. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
