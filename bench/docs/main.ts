import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generatedDocs } from './index.ts';

// Makes docs/ anew: npm run docs.
for (const [name, text] of generatedDocs()) {
  const file = fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
  writeFileSync(file, text);
  console.log(file);
}
