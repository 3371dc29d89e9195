export interface Shape {
  /** The first major version that takes it. */
  readonly since: number;
  readonly title: string;
  readonly sql: string;
}

/** Roles that the shapes speak of. */
export const roles = ['instance_reader', 'other', 'Odd "Role"'] as const;

/** Definitions that an application seldom has, to be made by a superuser. */
export const shapes: readonly Shape[] = [
  {
    since: 14,
    title: 'heirs, whose columns are not in the order of their parents',
    sql: `CREATE SCHEMA heirs;
      CREATE TABLE heirs.one (a integer DEFAULT 1 NOT NULL, b text);
      CREATE TABLE heirs.two (c integer, a integer);
      CREATE TABLE heirs.both (d integer) INHERITS (heirs.one, heirs.two);
      CREATE TABLE heirs.grandchild (e integer, CHECK (e > 0)) INHERITS (heirs.both);
      CREATE TABLE heirs.natural (a integer DEFAULT 99, z text) INHERITS (heirs.two);
      ALTER TABLE heirs.one ADD CONSTRAINT b_short CHECK (length(b) < 9);
      ALTER TABLE ONLY heirs.two ADD CONSTRAINT only_here CHECK (c > 0) NO INHERIT;
      CREATE TABLE heirs.adopted (x integer, c integer, a integer NOT NULL);
      ALTER TABLE heirs.adopted INHERIT heirs.two;
      CREATE TABLE heirs.own_check (b text CONSTRAINT b_short CHECK (length(b) < 9)) INHERITS (heirs.one);
      CREATE TABLE heirs.no_default () INHERITS (heirs.one);
      ALTER TABLE ONLY heirs.no_default ALTER COLUMN a DROP DEFAULT;
      ALTER TABLE ONLY heirs.no_default ALTER COLUMN b SET NOT NULL;
      ALTER TABLE heirs.one ALTER COLUMN b SET STORAGE EXTERNAL;
      ALTER TABLE ONLY heirs.no_default ALTER COLUMN b SET STORAGE EXTENDED;
      CREATE TABLE heirs.sum (n integer, doubled integer GENERATED ALWAYS AS (n * 2) STORED);
      CREATE TABLE heirs.sum_child (more integer) INHERITS (heirs.sum);
      COMMENT ON CONSTRAINT b_short ON heirs.both IS 'comes from above';`,
  },
  {
    since: 14,
    title: 'functions, domains, views and tables that lean on each other',
    sql: `CREATE SCHEMA circles;
      CREATE DOMAIN circles.even AS integer;
      CREATE FUNCTION circles.is_even(n circles.even) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n::integer % 2 = 0';
      ALTER DOMAIN circles.even ADD CONSTRAINT is_even CHECK (circles.is_even(VALUE));
      CREATE TABLE circles.counted (id integer PRIMARY KEY, n circles.even);
      CREATE FUNCTION circles.next_id(old circles.counted) RETURNS integer LANGUAGE sql STABLE AS 'SELECT old.id + 1';
      CREATE FUNCTION circles.first() RETURNS SETOF circles.counted LANGUAGE sql STABLE AS 'SELECT * FROM circles.counted LIMIT 1';
      ALTER TABLE circles.counted ALTER COLUMN id SET DEFAULT circles.next_id(NULL::circles.counted);
      CREATE FUNCTION circles.same(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE TABLE circles.holds (held circles.counted, many circles.counted[], v integer GENERATED ALWAYS AS (circles.same(1)) STORED);
      CREATE VIEW circles.grouped AS SELECT c.id, c.n FROM circles.counted c GROUP BY c.id;
      CREATE VIEW circles.on_top AS SELECT g.id AS "Id", circles.next_id(c.*) FROM circles.grouped g JOIN circles.counted c USING (id);
      CREATE FUNCTION circles.of_view(circles.on_top) RETURNS integer LANGUAGE sql AS 'SELECT $1."Id"';
      CREATE TABLE circles.uses_late (id integer DEFAULT circles.of_view(NULL));
      CREATE RULE log AS ON INSERT TO circles.uses_late DO ALSO SELECT * FROM circles.on_top;
      CREATE VIEW circles.renamed AS SELECT 1 AS one, 2 AS two;
      ALTER VIEW circles.renamed RENAME COLUMN one TO "First Column";
      CREATE VIEW circles.no_columns AS SELECT;
      CREATE FUNCTION circles.in_terms(a integer, b integer DEFAULT circles.same(3)) RETURNS integer LANGUAGE sql
        BEGIN ATOMIC SELECT a + b + count(*)::integer FROM circles.renamed; END;
      CREATE VIEW circles.calls AS SELECT circles.in_terms(1);`,
  },
  {
    since: 14,
    title: 'keys, indexes and foreign keys with every option',
    sql: `CREATE SCHEMA keys;
      CREATE TABLE keys.a (id integer, "Other Id" integer NOT NULL, r int4range, body text, last integer,
        CONSTRAINT a_pk PRIMARY KEY (id) WITH (fillfactor = 70) DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT a_unique UNIQUE ("Other Id", id) INCLUDE (body) WITH (fillfactor = 60, deduplicate_items = off),
        CONSTRAINT a_excluded EXCLUDE USING gist (r WITH &&, int4range(id, id + 1) WITH &&) INCLUDE (last)
          WITH (fillfactor = 50) WHERE (id > 0) DEFERRABLE);
      ALTER INDEX keys.a_excluded ALTER COLUMN 2 SET STATISTICS 123;
      COMMENT ON INDEX keys.a_pk IS 'the index of a key';
      COMMENT ON CONSTRAINT a_pk ON keys.a IS 'the key';
      ALTER TABLE keys.a CLUSTER ON a_unique;
      CREATE UNIQUE INDEX a_identity ON keys.a ("Other Id");
      ALTER TABLE keys.a REPLICA IDENTITY USING INDEX a_identity;
      CREATE INDEX a_siglen ON keys.a USING gist (to_tsvector('simple', body) tsvector_ops (siglen = 100));
      CREATE INDEX a_spgist ON keys.a USING spgist (body);
      CREATE INDEX a_brin ON keys.a USING brin (last int4_minmax_multi_ops (values_per_range = 16)) WITH (autosummarize = on);
      CREATE TABLE keys.b (a_id integer DEFAULT 1, other integer DEFAULT 2, x integer, y integer UNIQUE,
        CONSTRAINT b_to_a FOREIGN KEY (other, a_id) REFERENCES keys.a ("Other Id", id) MATCH FULL ON DELETE SET DEFAULT ON UPDATE RESTRICT,
        CONSTRAINT b_self FOREIGN KEY (x) REFERENCES keys.b (y) DEFERRABLE);
      ALTER TABLE keys.b ADD CONSTRAINT b_late FOREIGN KEY (x) REFERENCES keys.b (y) NOT VALID;
      CREATE TABLE keys.nothing_known (id integer);
      ALTER TABLE keys.nothing_known REPLICA IDENTITY NOTHING;
      CREATE TABLE keys.parts (id integer, k integer, CONSTRAINT parts_k CHECK (k > 0)) PARTITION BY RANGE (k, (id % 7));
      CREATE TABLE keys.parts_low PARTITION OF keys.parts FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 3);
      CREATE TABLE keys.parts_high (k integer, id integer, CONSTRAINT parts_k CHECK (k > 0), FOREIGN KEY (id) REFERENCES keys.b (y));
      ALTER TABLE keys.parts ATTACH PARTITION keys.parts_high FOR VALUES FROM (10, 3) TO (MAXVALUE, MAXVALUE);
      CREATE INDEX parts_whole ON keys.parts (id) WHERE k > 3;
      CREATE INDEX parts_unfinished ON ONLY keys.parts (k);
      CREATE INDEX parts_low_own ON keys.parts_low (k);
      ALTER INDEX keys.parts_unfinished ATTACH PARTITION keys.parts_low_own;
      ALTER TABLE keys.parts ADD FOREIGN KEY (id) REFERENCES keys.b (y) DEFERRABLE INITIALLY DEFERRED;`,
  },
  {
    since: 14,
    title: 'sequences and identities with every option',
    sql: `CREATE SCHEMA counters;
      CREATE SEQUENCE counters.free AS smallint INCREMENT -3 MINVALUE -30000 MAXVALUE 5 START 2 CACHE 7 CYCLE;
      CREATE TABLE counters.t (
        id smallint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME counters."Own Name" START 10 INCREMENT 10 MAXVALUE 1000 CYCLE),
        "Serial" bigserial, shared integer DEFAULT nextval('counters.free'));
      ALTER SEQUENCE counters.free OWNED BY counters.t.shared;
      COMMENT ON SEQUENCE counters."Own Name" IS 'of an identity';
      GRANT SELECT ON SEQUENCE counters."Own Name" TO other;
      CREATE UNLOGGED TABLE counters.fast (id integer GENERATED ALWAYS AS IDENTITY, n serial);
      ALTER TABLE counters.t OWNER TO other;`,
  },
  {
    since: 14,
    title: 'owners and grants',
    sql: `CREATE SCHEMA secrets AUTHORIZATION "Odd ""Role""";
      GRANT ALL ON SCHEMA secrets TO other WITH GRANT OPTION;
      GRANT USAGE ON SCHEMA secrets TO instance_reader;
      CREATE TABLE secrets.t (a integer, "B" integer);
      ALTER TABLE secrets.t OWNER TO other;
      GRANT SELECT, UPDATE ON secrets.t TO "Odd ""Role""" WITH GRANT OPTION;
      SET ROLE "Odd ""Role""";
      GRANT SELECT ON secrets.t TO instance_reader WITH GRANT OPTION;
      SET ROLE instance_reader;
      GRANT SELECT ON secrets.t TO PUBLIC;
      RESET ROLE;
      REVOKE DELETE, TRUNCATE ON secrets.t FROM other;
      GRANT INSERT ("B"), REFERENCES ("B") ON secrets.t TO instance_reader WITH GRANT OPTION;
      CREATE TABLE secrets.nobodys (a integer);
      REVOKE ALL ON secrets.nobodys FROM CURRENT_USER;
      CREATE FUNCTION secrets.f(a integer, VARIADIC b text[] DEFAULT '{}') RETURNS void LANGUAGE sql AS '';
      REVOKE ALL ON FUNCTION secrets.f FROM PUBLIC;
      ALTER FUNCTION secrets.f OWNER TO other;
      CREATE TYPE secrets.pair AS (a integer, b integer);
      REVOKE ALL ON TYPE secrets.pair FROM PUBLIC;
      ALTER TYPE secrets.pair OWNER TO other;
      CREATE DOMAIN secrets.d AS integer;
      GRANT USAGE ON DOMAIN secrets.d TO other;
      CREATE MATERIALIZED VIEW secrets.m AS SELECT 1 AS one;
      ALTER MATERIALIZED VIEW secrets.m OWNER TO other;
      ALTER DEFAULT PRIVILEGES FOR ROLE other IN SCHEMA secrets GRANT ALL ON TABLES TO instance_reader WITH GRANT OPTION;
      ALTER DEFAULT PRIVILEGES FOR ROLE other GRANT USAGE ON SEQUENCES TO PUBLIC;
      ALTER DEFAULT PRIVILEGES FOR ROLE other REVOKE ALL ON TABLES FROM other;
      ALTER DEFAULT PRIVILEGES FOR ROLE "Odd ""Role""" REVOKE USAGE ON TYPES FROM PUBLIC;
      ALTER DEFAULT PRIVILEGES FOR ROLE other GRANT CREATE ON SCHEMAS TO PUBLIC;
      REVOKE ALL ON SCHEMA public FROM PUBLIC;
      GRANT USAGE ON SCHEMA public TO other;
      COMMENT ON SCHEMA public IS 'not the standard one';`,
  },
  {
    since: 14,
    title: 'triggers and rules in every state',
    sql: `CREATE SCHEMA fires;
      CREATE FUNCTION fires.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TABLE fires.parts (a integer, b integer) PARTITION BY LIST (a);
      CREATE TABLE fires.parts_1 PARTITION OF fires.parts FOR VALUES IN (1) PARTITION BY LIST (b);
      CREATE TABLE fires.parts_1_1 PARTITION OF fires.parts_1 FOR VALUES IN (1);
      CREATE TRIGGER "After" AFTER INSERT OR UPDATE OF b ON fires.parts FOR EACH ROW WHEN (NEW.b > 3) EXECUTE FUNCTION fires.f('a', '\\', 'it''s');
      CREATE TRIGGER second AFTER DELETE ON fires.parts FOR EACH ROW EXECUTE FUNCTION fires.f();
      ALTER TABLE fires.parts_1_1 ENABLE REPLICA TRIGGER "After";
      ALTER TABLE ONLY fires.parts_1 DISABLE TRIGGER second;
      COMMENT ON TRIGGER second ON fires.parts_1_1 IS 'a copy';
      CREATE TABLE fires.t (a integer);
      CREATE TRIGGER old_and_new AFTER UPDATE ON fires.t REFERENCING OLD TABLE AS o NEW TABLE AS "N" FOR EACH STATEMENT EXECUTE FUNCTION fires.f();
      CREATE RULE also AS ON UPDATE TO fires.t DO ALSO (INSERT INTO fires.t VALUES (1); DELETE FROM fires.t WHERE a = OLD.a);
      CREATE RULE never AS ON DELETE TO fires.t DO INSTEAD NOTHING;
      ALTER TABLE fires.t DISABLE RULE never;
      ALTER TABLE fires.t ENABLE ALWAYS RULE also;
      CREATE VIEW fires.v AS SELECT a FROM fires.t;
      CREATE RULE into_view AS ON INSERT TO fires.v DO INSTEAD INSERT INTO fires.t VALUES (NEW.a);`,
  },
  {
    since: 14,
    title: 'values and names that need care',
    sql: `CREATE SCHEMA "Größe; -- DROP";
      CREATE TYPE "Größe; -- DROP"."t""ype" AS ENUM ('', 'a''b', 'back\\slash', 'new
line', '$$');
      CREATE TABLE "Größe; -- DROP"."select" (
        "a""b" "Größe; -- DROP"."t""ype" DEFAULT 'back\\slash',
        "-- c" text DEFAULT E'tab\\t\\\\ $x$ \\u00e9',
        at timestamp with time zone DEFAULT '2020-02-29 12:00:00+05:30',
        span interval DEFAULT '-1 mons +2 days -03:04:05.678',
        big numeric DEFAULT 1e100, f double precision DEFAULT 0.1::real,
        raw bytea DEFAULT '\\x00ff', list text[] DEFAULT '{"a,b","NULL",NULL,"\\"q\\""}',
        doc jsonb DEFAULT '{"a": "\\\\\\\\ \\""}', money money DEFAULT 12.34, o oid DEFAULT 'pg_class'::regclass,
        c text COLLATE "C" DEFAULT ('x' COLLATE "POSIX") || 'y', bits varbit DEFAULT B'0101');
      COMMENT ON COLUMN "Größe; -- DROP"."select"."a""b" IS E'\\\\ '' " \\n;';
      CREATE FUNCTION "Größe; -- DROP"."f$function$"("a$b" text DEFAULT '$function$') RETURNS text LANGUAGE plpgsql
        SET "search_path" = 'public', "Größe; -- DROP" SET work_mem = '5MB' SET timezone = 'Europe/Berlin'
        AS 'BEGIN RETURN ''$function$''; END';
      CREATE FUNCTION "Größe; -- DROP".window_like(anyelement, OUT x anyelement, OUT y anyarray) LANGUAGE sql AS 'SELECT $1, ARRAY[$1]';`,
  },
  {
    since: 15,
    title: 'what came with 15',
    sql: `CREATE SCHEMA since_15;
      CREATE TABLE since_15.t (a integer, b integer, c numeric(3, -2), UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE);
      CREATE UNIQUE INDEX t_b ON since_15.t (b) NULLS NOT DISTINCT;
      CREATE TABLE since_15.u (x integer PRIMARY KEY);
      CREATE TABLE since_15.v (x integer, y integer, UNIQUE (x, y));
      CREATE TABLE since_15.w (x integer, y integer, FOREIGN KEY (x, y) REFERENCES since_15.v (x, y) ON DELETE SET NULL (y));
      CREATE VIEW since_15.invoker WITH (security_invoker = true, check_option = cascaded) AS SELECT x FROM since_15.u;
      CREATE UNLOGGED SEQUENCE since_15.fast;
      CREATE TABLE since_15.logged (id integer GENERATED ALWAYS AS IDENTITY);
      ALTER SEQUENCE since_15.logged_id_seq SET UNLOGGED;`,
  },
  {
    since: 16,
    title: 'what came with 16',
    sql: `CREATE SCHEMA since_16;
      CREATE TABLE since_16.sum (n integer, doubled integer GENERATED ALWAYS AS (n * 2) STORED);
      CREATE TABLE since_16.other_sum (doubled integer GENERATED ALWAYS AS (n * 3) STORED) INHERITS (since_16.sum);
      CREATE TABLE since_16.storage (a text STORAGE MAIN);`,
  },
  {
    since: 17,
    title: 'what came with 17',
    sql: `CREATE SCHEMA since_17;
      CREATE TABLE since_17.parts (id bigint GENERATED ALWAYS AS IDENTITY (START 5), k integer) PARTITION BY LIST (k);
      CREATE TABLE since_17.parts_1 PARTITION OF since_17.parts FOR VALUES IN (1);
      CREATE TABLE since_17.parts_2 (k integer, id bigint NOT NULL);
      ALTER TABLE since_17.parts ATTACH PARTITION since_17.parts_2 FOR VALUES IN (2);
      ALTER TABLE since_17.parts SET ACCESS METHOD heap;
      CREATE DOMAIN since_17.d AS integer CONSTRAINT "my not null" NOT NULL;
      COMMENT ON CONSTRAINT "my not null" ON DOMAIN since_17.d IS 'named';
      GRANT MAINTAIN ON since_17.parts TO other;`,
  },
  {
    since: 18,
    title: 'what came with 18',
    sql: `CREATE SCHEMA since_18;
      CREATE TABLE since_18.t (a integer CONSTRAINT "a!" NOT NULL NO INHERIT, b integer, c integer,
        v integer GENERATED ALWAYS AS (a + b) VIRTUAL, CONSTRAINT sure CHECK (b > 0) NOT ENFORCED);
      ALTER TABLE since_18.t ADD CONSTRAINT b_late NOT NULL b NOT VALID;
      COMMENT ON CONSTRAINT "a!" ON since_18.t IS 'a named NOT NULL';
      COMMENT ON CONSTRAINT b_late ON since_18.t IS 'not checked yet';
      CREATE TABLE since_18.parent (a integer CONSTRAINT parent_says NOT NULL, b integer);
      CREATE TABLE since_18.child (c integer, CONSTRAINT child_says NOT NULL b) INHERITS (since_18.parent);
      CREATE TABLE since_18.own (a integer CONSTRAINT own_says NOT NULL) INHERITS (since_18.parent);
      CREATE TABLE since_18.late_parent (a integer, b integer);
      CREATE TABLE since_18.late_child () INHERITS (since_18.late_parent);
      ALTER TABLE since_18.late_parent ADD CONSTRAINT late_says NOT NULL a NOT VALID;
      CREATE TABLE since_18.parts (id integer CONSTRAINT parts_id NOT NULL, k integer) PARTITION BY LIST (k);
      CREATE TABLE since_18.parts_1 PARTITION OF since_18.parts FOR VALUES IN (1);
      CREATE TABLE since_18.parts_2 (k integer, id integer CONSTRAINT other_name NOT NULL);
      ALTER TABLE since_18.parts ATTACH PARTITION since_18.parts_2 FOR VALUES IN (2);
      CREATE TABLE since_18.room (n int4range, during tstzrange, CONSTRAINT room_once PRIMARY KEY (n, during WITHOUT OVERLAPS));
      CREATE TABLE since_18.booking (n int4range, during tstzrange,
        CONSTRAINT in_room FOREIGN KEY (n, PERIOD during) REFERENCES since_18.room (n, PERIOD during));
      CREATE TABLE since_18.pk (id integer PRIMARY KEY);
      CREATE TABLE since_18.loose (a integer REFERENCES since_18.pk (id) NOT ENFORCED);
      ALTER DEFAULT PRIVILEGES FOR ROLE other GRANT SELECT ON LARGE OBJECTS TO PUBLIC;`,
  },
];
