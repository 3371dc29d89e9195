import type { MariadbClient } from '../servers/index.ts';

/** What a fuzz changes. */
export interface World {
  readonly client: MariadbClient;
  /** Has transactions that stay open. */
  readonly other: MariadbClient;
  readonly random: () => number;
  isOpen: boolean;
}

type Event = (world: World) => Promise<unknown>;

const below = ({ random }: World, end: number): number => Math.floor(random() * end);
const tables = ['words', 'numbers', 'pairs', 'heap'] as const;
const tableOf = (world: World): string => tables[below(world, tables.length)]!;

/** Statements give up at once where the pin, or an open transaction, holds what they want. */
const settings = "SET lock_wait_timeout = 0, innodb_lock_wait_timeout = 0, sql_mode = ''";

/** By name; `create` comes first and once. */
export const events: Readonly<Record<string, Event>> = {
  create: async ({ client, other }) => {
    await client.query(`${settings};
      CREATE TABLE words (k VARCHAR(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v TEXT, n INT);
      CREATE TABLE numbers (id BIGINT PRIMARY KEY AUTO_INCREMENT, v DOUBLE, d DECIMAL(20,4), b VARBINARY(60), t TIMESTAMP(6) NULL);
      CREATE TABLE pairs (a INT, b DATE, v ENUM('x','y','z'), PRIMARY KEY (a, b));
      CREATE TABLE heap (id INT, v VARCHAR(50)); CREATE SEQUENCE seq NOCACHE;
      INSERT INTO words SELECT CONCAT(CHAR(65 + seq % 57 USING utf8mb4), seq), REPEAT(MD5(seq), seq % 4), seq FROM seq_1_to_400;
      INSERT INTO numbers SELECT seq, RAND(seq), seq / 7, UNHEX(SHA2(seq, 256)), NULL FROM seq_1_to_400;
      INSERT INTO pairs SELECT seq % 40, '2000-01-01' + INTERVAL seq DAY, 1 + seq % 3 FROM seq_1_to_400;
      INSERT INTO heap SELECT seq % 50, MD5(seq % 9) FROM seq_1_to_100`);
    await other.query(settings);
  },
  insert: world =>
    world.client.query(
      `INSERT IGNORE INTO numbers (v, d, b) VALUES (${world.random()}, ${below(world, 1e6)} / 9, UNHEX(SHA2('${world.random()}', 256)));
       INSERT IGNORE INTO words VALUES ('${String.fromCharCode(65 + below(world, 57)).replace('\\', 'b')}${below(world, 900)}', NULL, ${below(world, 99)})`,
    ),
  'insert many': world =>
    world.client.query(`INSERT IGNORE INTO pairs SELECT ${below(world, 60)}, '1990-01-01' + INTERVAL seq DAY, 1 FROM seq_1_to_${1 + below(world, 120)};
      INSERT INTO heap SELECT seq, 'more' FROM seq_1_to_${1 + below(world, 9)}`),
  update: world =>
    world.client.query(
      `UPDATE numbers SET v = ${world.random()} WHERE id = ${below(world, 420)}; UPDATE words SET n = n + 1 WHERE n = ${below(world, 400)}`,
    ),
  'update many': world =>
    world.client.query(
      `UPDATE ${tableOf(world)} SET v = v WHERE 1; UPDATE words SET v = CONCAT('${below(world, 99)}', IFNULL(v, '')) WHERE n % 50 = ${below(world, 50)}`,
    ),
  'move a key': world =>
    world.client.query(
      `UPDATE IGNORE pairs SET a = ${below(world, 80)} WHERE a = ${below(world, 40)} LIMIT 5; UPDATE IGNORE numbers SET id = id + 1000 WHERE id = ${below(world, 400)}`,
    ),
  'swap two rows': world => {
    const [a, b] = [below(world, 400), below(world, 400)];
    return world.client.query(
      `UPDATE numbers x JOIN numbers y ON (x.id, y.id) IN ((${a}, ${b}), (${b}, ${a})) SET x.b = IF(x.id = ${a}, 'one', 'two')`,
    );
  },
  delete: world => world.client.query(`DELETE FROM ${tableOf(world)} LIMIT ${1 + below(world, 3)}`),
  'delete a range': world => {
    const from = below(world, 400);
    return world.client.query(
      `DELETE FROM numbers WHERE id BETWEEN ${from} AND ${from + below(world, 60)}; DELETE FROM pairs WHERE a = ${below(world, 40)}`,
    );
  },
  'same count': world =>
    world.client.query(
      `DELETE FROM numbers ORDER BY id LIMIT 1; INSERT INTO numbers (id, v) VALUES (${-below(world, 1e6)}, 1)`,
    ),
  truncate: world => world.client.query(`TRUNCATE ${tableOf(world)}`),
  fill: world =>
    world.client.query(`INSERT IGNORE INTO words SELECT CONCAT('w', seq), MD5(RAND(${below(world, 1e6)} + seq)), seq FROM seq_1_to_200;
      INSERT IGNORE INTO numbers SELECT seq, RAND(${below(world, 1e6)} + seq), 1, NULL, NULL FROM seq_1_to_300`),
  'a large row': world =>
    world.client.query(`UPDATE words SET v = REPEAT('${below(world, 9)}', 20000) LIMIT 1`),
  'add a column': world =>
    world.client.query(
      `ALTER TABLE ${tableOf(world)} ADD COLUMN extra${below(world, 3)} INT DEFAULT ${below(world, 9)}`,
    ),
  'drop a column': world =>
    world.client.query(`ALTER TABLE ${tableOf(world)} DROP COLUMN extra${below(world, 3)}`),
  'another collation': world =>
    world.client.query(
      `ALTER IGNORE TABLE words MODIFY k VARCHAR(20) COLLATE ${['utf8mb4_unicode_ci', 'utf8mb4_bin', 'utf8mb4_swedish_ci'][below(world, 3)]!}`,
    ),
  'another type': world =>
    world.client.query(
      `ALTER TABLE numbers MODIFY v ${['DOUBLE', 'FLOAT', 'VARCHAR(40)'][below(world, 3)]!}`,
    ),
  'another label': world =>
    world.client.query(`ALTER TABLE pairs MODIFY v ENUM('x','y','${'zuvw'[below(world, 4)]!}')`),
  rebuild: world => world.client.query(`ALTER TABLE ${tableOf(world)} FORCE`),
  'swap two tables': ({ client }) =>
    client.query(
      'RENAME TABLE words TO aside, numbers TO words, aside TO numbers; RENAME TABLE words TO aside, numbers TO words, aside TO numbers',
    ),
  'drop and create': world =>
    world.client.query(
      `DROP TABLE IF EXISTS other; CREATE TABLE other (id INT PRIMARY KEY) SELECT seq AS id FROM seq_1_to_${1 + below(world, 50)}`,
    ),
  'another key': world =>
    world.client.query(
      `ALTER TABLE pairs DROP PRIMARY KEY, ADD PRIMARY KEY (${below(world, 2) === 0 ? 'a, b' : 'b, a'})`,
    ),
  sequence: ({ client }) => client.query('SELECT NEXTVAL(seq)'),
  definition: world =>
    world.client.query(`CREATE OR REPLACE VIEW looks AS SELECT ${below(world, 9)} AS n; CREATE OR REPLACE FUNCTION gives() RETURNS INT DETERMINISTIC RETURN ${below(world, 9)};
      CREATE OR REPLACE TRIGGER pulls BEFORE INSERT ON heap FOR EACH ROW SET NEW.v = '${below(world, 9)}'`),
  'open a transaction': async world => {
    if (world.isOpen) await world.other.query('ROLLBACK');
    world.isOpen = true;
    await world.other.query(
      `BEGIN; UPDATE numbers SET v = ${world.random()} WHERE id < ${below(world, 100)}; SAVEPOINT s; DELETE FROM pairs WHERE a = ${below(world, 40)}`,
    );
  },
  'go on with it': async world => {
    if (!world.isOpen) return;
    await world.other.query(
      `${world.random() < 0.5 ? 'ROLLBACK TO s;' : ''} INSERT INTO heap VALUES (${below(world, 99)}, 'open')`,
    );
  },
  commit: async world => {
    if (!world.isOpen) return;
    world.isOpen = false;
    await world.other.query(world.random() < 0.7 ? 'COMMIT' : 'ROLLBACK');
  },
};
