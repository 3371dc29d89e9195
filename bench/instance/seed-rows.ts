import type { Database } from './database.ts';

export interface RowSeed {
  readonly repositories: number;
  /** Rows in all, about. */
  readonly rows: number;
}

/**
 * Fills the tables by the server's own means: the core, some rows of every other shape, and `rows` in all. Values hold
 * what an export must get right: newlines, backslashes, `\N`, quotes, other scripts, NULL, empty, infinity, NaN.
 */
export async function seedRows(database: Database, seed: RowSeed): Promise<void> {
  for (const sql of core(seed)) await database.query(sql);
  for (const sql of shapes()) await database.query(sql);
  const rest = Math.max(0, seed.rows - (await countRows(database)));
  for (const sql of bulk({ ...seed, rows: rest })) await database.query(sql);
  for (const view of ['activity_by_day', 'busiest_now'])
    await database.query(`REFRESH MATERIALIZED VIEW analytics.${view}`);
}

/** Rows of all tables, counted. */
export async function countRows(database: Database): Promise<number> {
  const tables = await database.query(
    `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname IN ('public', 'analytics')`,
  );
  const counts = tables.map(table => `(SELECT count(*) FROM ONLY ${table['name']})`).join(' + ');
  const [row] = await database.query(`SELECT ${counts} AS rows`);
  return Number(row?.['rows']);
}

// Newline, backslash, the mark of NULL, a tab, quotes, other scripts.
const awkward = String.raw`E'line\nend \\ \\N \t it''s "quoted" — Größe 日本 🙂'`;

function core({ repositories }: RowSeed): string[] {
  return [
    `INSERT INTO public.app_user (name, email, avatar, active)
     SELECT 'user ' || n, 'user' || n || '@example.invalid', CASE n % 3 WHEN 0 THEN decode(repeat(md5(n::text), 60), 'hex') END, n % 7 <> 0
     FROM generate_series(1, 50) n`,
    `INSERT INTO public.project (key, name, kind, created_at)
     SELECT CASE n WHEN 1 THEN 'STAND' ELSE '~USER' || n END, 'Project ' || n || ${awkward},
            (CASE n WHEN 1 THEN 'NORMAL' ELSE 'PERSONAL' END)::public.project_kind, '2024-03-01 10:00+00'::timestamptz + n * interval '1 day'
     FROM generate_series(1, 5) n`,
    // Numbered by hand: a repository's id is the name of its folder.
    `INSERT INTO public.repository (id, project_id, slug, size_bytes, settings, topics, past_states, owners, imported_by)
     OVERRIDING SYSTEM VALUE
     SELECT n, (SELECT min(id) FROM public.project) + n % 5, 'repository-' || n, n * 1000,
            jsonb_build_object('n', n, 'note', ${awkward}, 'none', NULL), ARRAY['topic-' || n % 3, 'a,b', '"', NULL],
            CASE n % 2 WHEN 0 THEN '{OFFLINE,"it''s odd"}'::public.repository_state[] END,
            ARRAY[ROW('o' || n, 'o@example.invalid', '{1.50,NULL}')::public.person],
            ROW(ROW('importer', NULL, NULL), '2020-02-29 12:00+00', 'key ' || n)::public.signature
     FROM generate_series(1, ${repositories}) n`,
    `SELECT setval(pg_get_serial_sequence('public.repository', 'id'), ${repositories})`,
    'UPDATE public.project p SET main_repository_id = (SELECT min(id) FROM public.repository r WHERE r.project_id = p.id)',
    `INSERT INTO public.attachment (repository_id, name, blob)
     SELECT 1 + n % ${repositories}, 'attachment ' || n, lo_from_bytea(0, decode(repeat(md5(n::text), n * 40), 'hex'))
     FROM generate_series(0, 12) n`,
  ];
}

function shapes(): string[] {
  return [
    `INSERT INTO public.notification SELECT (ARRAY['mail', 'it''s mail', 'chat'])[1 + n % 3], n, ${awkward} FROM generate_series(1, 40) n`,
    `INSERT INTO public.access_token SELECT n % 9, sha256(n::text::bytea), CASE WHEN n % 2 = 0 THEN 'infinity'::timestamptz END
     FROM generate_series(1, 60) n`,
    `INSERT INTO analytics.sample SELECT k, '2026-01-01'::timestamptz + n * interval '1 h', (ARRAY['NaN', 'Infinity', '-0', '1e-300', '0.1'])[1 + n % 5]::float8
     FROM unnest(enum_range(NULL::public.activity_kind)) k, generate_series(1, 10) n`,
    `INSERT INTO public.security_audit_entry (id, what, detail, address)
     SELECT n, 'login ' || n, NULL, ('10.0.0.' || n)::inet FROM generate_series(1, 20) n`,
    `INSERT INTO public.maintenance_window (node_id, during) SELECT n, tstzrange('2026-01-01', '2026-01-02', '(]') FROM generate_series(1, 5) n`,
    `INSERT INTO public.build (code, span, spans, bucket, mask, bits, run_at, wait, node, document, cost, place, ratio, big, small, letter, fixed, plain, name, checked)
     SELECT 'TEAM' || n, public.text_span('a', 'm' || n), '{[a,b),[x,y]}', 'hour', B'10101010', B'101', '10:11:12.5+02', n * interval '1 day 2 seconds',
            '08:00:2b:01:02:03', '<a b="1">text</a>'::xml, n::numeric::money, point(n, -n), 0.1, 'NaN', n, 'x', 'ab', ${awkward}, 'named', '2026-02-28'
     FROM generate_series(1, 30) n`,
    `INSERT INTO analytics.page_cache VALUES ('/', '\\x00ff0a5c', 3)`,
    'INSERT INTO analytics.marker DEFAULT VALUES',
    `INSERT INTO analytics."Odd ""name"", Größe" VALUES (1, DEFAULT, 420.5), (2, '', NULL), (3, NULL, 0.1)`,
    `INSERT INTO analytics.typed VALUES ('typed', 't@example.invalid', '{}')`,
    `SELECT nextval('analytics.countdown')`,
  ];
}

function bulk({ repositories, rows }: RowSeed): string[] {
  const share = (part: number): number => Math.floor(rows * part);
  return [
    `INSERT INTO public.pull_request (repository_id, title, description, state, from_ref, to_ref, reviewers, merge_window, weight, changes, created_at)
     SELECT 1 + n % ${repositories}, 'Change ' || n, CASE WHEN n % 4 = 0 THEN NULL WHEN n % 101 = 0 THEN ${awkward} ELSE repeat(md5(n::text) || ' ', n % 5) END,
            (ARRAY['OPEN', 'MERGED', 'DECLINED'])[1 + n % 3]::public.pull_request_state, 'refs/heads/feature/' || n, 'refs/heads/main',
            CASE WHEN n % 3 = 0 THEN '{}' ELSE ARRAY[n, n + 1] END, CASE WHEN n % 2 = 0 THEN tstzrange('2025-01-01', NULL) END,
            n * 0.125, public.count_range(n, n + 10), '2024-06-01'::timestamptz + n * interval '7 minutes'
     FROM generate_series(1, ${Math.max(10, share(0.04))}) n`,
    `INSERT INTO public.comment (pull_request_id, author_id, body, anchor, created_at)
     SELECT 1 + n % ${Math.max(10, share(0.04))}, 1 + n % 50, CASE WHEN n % 97 = 0 THEN ${awkward} ELSE 'Comment ' || n || ' ' || md5(n::text) END,
            CASE WHEN n % 3 = 0 THEN jsonb_build_object('line', n, 'path', 'src/' || n) END, '2024-06-01'::timestamptz + n * interval '1 minute'
     FROM generate_series(1, ${share(0.2)}) n`,
    `INSERT INTO public.activity (repository_id, actor_id, kind, payload, created_at)
     SELECT 1 + n % ${repositories}, n % 50 + 1, (ARRAY['PUSH', 'COMMENT', 'MERGE', 'REVIEW', 'OTHER'])[1 + n % 5]::public.activity_kind,
            jsonb_build_object('n', n, 'hash', md5(n::text)), '2024-01-01'::timestamptz + (n % 1200) * interval '1 day' + n * interval '1 ms'
     FROM generate_series(1, ${share(0.46)}) n`,
    `INSERT INTO public.audit_entry (what, detail, at)
     SELECT 'entry ' || n % 100, jsonb_build_object('n', n), '2025-01-01'::timestamptz + n * interval '10 seconds'
     FROM generate_series(1, ${share(0.3)}) n`,
    'ANALYZE',
  ];
}
