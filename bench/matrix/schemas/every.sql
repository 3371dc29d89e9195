-- Every kind of object that a database can have, in sections that stand alone.
-- `since=15`: the first major version that takes it. `reader=refuses`: the reader of the catalogs names it and refuses.
-- What follows `@ lost` is what nobody writes down: done to the original once it was backed up, it makes the two equal.

-- @ section types
CREATE SCHEMA types;
CREATE TYPE types.mood AS ENUM ('sad', 'ok', '', 'it''s "odd"');
ALTER TYPE types.mood ADD VALUE 'between' BEFORE 'ok';
CREATE TYPE types.pair AS (a integer, b text COLLATE "C");
ALTER TYPE types.pair ADD ATTRIBUTE c types.mood, DROP ATTRIBUTE a;
CREATE TYPE types.nested AS (p types.pair, list types.pair[], m types.mood[]);
CREATE DOMAIN types.positive AS integer DEFAULT 7 NOT NULL CONSTRAINT above CHECK (VALUE > 0);
CREATE DOMAIN types.of_domain AS types.positive CHECK (VALUE < 1000) CHECK (VALUE <> 13);
CREATE DOMAIN types.list AS text[] CHECK (cardinality(VALUE) < 9);
ALTER DOMAIN types.positive ADD CONSTRAINT late CHECK (VALUE <> 666) NOT VALID;
CREATE FUNCTION types.float_diff(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE types.float_range AS RANGE (subtype = float8, subtype_diff = types.float_diff, multirange_type_name = types.float_ranges);
CREATE TYPE types.text_range AS RANGE (subtype = text, collation = "C");
COMMENT ON TYPE types.mood IS 'how it is';
COMMENT ON COLUMN types.pair.b IS 'of a composite';
COMMENT ON DOMAIN types.positive IS 'more than nothing';
COMMENT ON CONSTRAINT above ON DOMAIN types.positive IS 'is so';
CREATE TABLE types.uses (id types.of_domain, m types.mood, ms types.mood[], n types.nested, r types.float_range, rs types.float_ranges, t types.text_range, l types.list);
INSERT INTO types.uses SELECT i, (enum_range(NULL::types.mood))[1 + i % 5], ARRAY['ok', NULL]::types.mood[],
  ROW(ROW('x' || i, 'sad'), ARRAY[ROW('y', 'ok')]::types.pair[], '{}')::types.nested,
  types.float_range(i, i + 0.5), types.float_ranges(types.float_range(0, i)), types.text_range('a', 'b' || i), ARRAY['ä']
FROM generate_series(100, 180) i;
CREATE TABLE types.of_type OF types.pair (b NOT NULL, c DEFAULT 'ok');
INSERT INTO types.of_type VALUES ('z', 'sad');

-- @ section base_types reader=refuses
CREATE SCHEMA base_types;
CREATE TYPE base_types.shell;
CREATE TYPE base_types.own;
CREATE FUNCTION base_types.own_in(cstring) RETURNS base_types.own LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION base_types.own_out(base_types.own) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE base_types.own (INPUT = base_types.own_in, OUTPUT = base_types.own_out, LIKE = integer, CATEGORY = 'N', DEFAULT = '5');
CREATE TABLE base_types.uses (a base_types.own, b base_types.own[] DEFAULT '{1,2}');
INSERT INTO base_types.uses VALUES ('42'), ('-7');

-- @ section routines
CREATE SCHEMA routines;
CREATE FUNCTION routines.plain(a integer, b text DEFAULT 'x', VARIADIC c text[] DEFAULT '{}') RETURNS text LANGUAGE sql
  STABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 AS $f$ SELECT a || b || '$$' || c[1] $f$;
CREATE FUNCTION routines.rows(OUT a integer, OUT "B c" text) RETURNS SETOF record LANGUAGE plpgsql ROWS 17 SECURITY DEFINER
  SET search_path = routines, pg_temp SET work_mem = '7MB' AS 'BEGIN RETURN QUERY SELECT 1, ''x''::text; END';
CREATE FUNCTION routines.atomic(n integer) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT CASE WHEN n > 0 THEN n ELSE 0 END; END;
CREATE PROCEDURE routines.does(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; COMMIT; END';
CREATE PROCEDURE routines.does_sql() LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT routines.atomic(2); END;
CREATE FUNCTION routines.poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION routines.window_like() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE FUNCTION routines.begin(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION routines."end"() RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION routines.from_library() RETURNS trigger LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE AGGREGATE routines.total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = SAFE, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer, MINITCOND = '5');
CREATE AGGREGATE routines.median(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE routines.rank_like(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE routines.least_of(integer) (SFUNC = int4smaller, STYPE = integer, SORTOP = <);
CREATE AGGREGATE routines.counts(*) (SFUNC = int8inc, STYPE = int8, INITCOND = 0, SSPACE = 8);
CREATE AGGREGATE routines.serial(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, SSPACE = 128, FINALFUNC = numeric_avg, COMBINEFUNC = numeric_avg_combine, SERIALFUNC = numeric_avg_serialize, DESERIALFUNC = numeric_avg_deserialize, FINALFUNC_MODIFY = READ_WRITE);
COMMENT ON AGGREGATE routines.total(integer) IS 'a sum';
COMMENT ON PROCEDURE routines.does IS 'does it';
COMMENT ON FUNCTION routines.plain IS E'two\nlines';
GRANT EXECUTE ON FUNCTION routines.total(integer) TO matrix_reader;
REVOKE ALL ON FUNCTION routines.rows() FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE routines.does TO matrix_reader WITH GRANT OPTION;
ALTER AGGREGATE routines.total(integer) OWNER TO matrix_owner;
ALTER PROCEDURE routines.does OWNER TO matrix_owner;

-- @ section operators
CREATE SCHEMA operators;
CREATE TYPE operators.c AS (a integer);
CREATE FUNCTION operators.eq(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a = $2.a';
CREATE FUNCTION operators.ne(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a <> $2.a';
CREATE FUNCTION operators.lt(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < $2.a';
CREATE FUNCTION operators.gt(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a > $2.a';
CREATE FUNCTION operators.le(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a <= $2.a';
CREATE FUNCTION operators.ge(operators.c, operators.c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a >= $2.a';
CREATE FUNCTION operators.cmp(operators.c, operators.c) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a - $2.a';
CREATE FUNCTION operators.hash(operators.c) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT hashint4($1.a)';
CREATE FUNCTION operators.cmp_int(operators.c, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a - $2';
CREATE FUNCTION operators.eq_int(operators.c, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a = $2';
CREATE OPERATOR operators.=== (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.eq, COMMUTATOR = OPERATOR(operators.===), NEGATOR = OPERATOR(operators.!==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR operators.!== (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.ne, COMMUTATOR = OPERATOR(operators.!==), NEGATOR = OPERATOR(operators.===), RESTRICT = neqsel);
CREATE OPERATOR operators.<< (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.lt, COMMUTATOR = OPERATOR(operators.>>), RESTRICT = scalarltsel);
CREATE OPERATOR operators.>> (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.gt, COMMUTATOR = OPERATOR(operators.<<));
CREATE OPERATOR operators.<<= (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.le);
CREATE OPERATOR operators.>>= (LEFTARG = operators.c, RIGHTARG = operators.c, FUNCTION = operators.ge);
CREATE OPERATOR operators.=# (LEFTARG = operators.c, RIGHTARG = integer, FUNCTION = operators.eq_int);
CREATE OPERATOR operators.!! (RIGHTARG = operators.c, FUNCTION = operators.hash);
COMMENT ON OPERATOR operators.=== (operators.c, operators.c) IS 'the same';
COMMENT ON OPERATOR operators.!! (NONE, operators.c) IS 'a prefix';
ALTER OPERATOR operators.=== (operators.c, operators.c) OWNER TO matrix_owner;
CREATE OPERATOR FAMILY operators.family USING btree;
CREATE OPERATOR CLASS operators.c_ops FOR TYPE operators.c USING btree FAMILY operators.family AS
  OPERATOR 1 operators.<<, OPERATOR 2 operators.<<=, OPERATOR 3 operators.===, OPERATOR 4 operators.>>=, OPERATOR 5 operators.>>, FUNCTION 1 operators.cmp(operators.c, operators.c);
ALTER OPERATOR FAMILY operators.family USING btree ADD OPERATOR 3 operators.=# (operators.c, integer), FUNCTION 1 (operators.c, integer) operators.cmp_int(operators.c, integer);
CREATE OPERATOR CLASS operators.c_hash DEFAULT FOR TYPE operators.c USING hash AS OPERATOR 1 operators.===, FUNCTION 1 operators.hash(operators.c);
CREATE OPERATOR FAMILY operators.lonely USING hash;
CREATE OPERATOR CLASS operators.stored FOR TYPE box USING gist AS OPERATOR 3 &&, OPERATOR 15 <-> (box, point) FOR ORDER BY float_ops,
  FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal), FUNCTION 5 gist_box_penalty(internal, internal, internal),
  FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal), FUNCTION 8 gist_box_distance(internal, box, smallint, oid, internal);
COMMENT ON OPERATOR CLASS operators.c_ops USING btree IS 'sorts';
COMMENT ON OPERATOR FAMILY operators.family USING btree IS 'belongs together';
ALTER OPERATOR CLASS operators.c_hash USING hash OWNER TO matrix_owner;
ALTER OPERATOR FAMILY operators.lonely USING hash OWNER TO matrix_owner;
CREATE FUNCTION operators.to_int(operators.c) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
CREATE CAST (operators.c AS integer) WITH FUNCTION operators.to_int(operators.c) AS ASSIGNMENT;
CREATE CAST (operators.c AS text) WITH INOUT AS IMPLICIT;
CREATE DOMAIN operators.d AS integer;
CREATE TYPE operators.e AS ENUM ('a');
CREATE CAST (text AS operators.e) WITH INOUT;
COMMENT ON CAST (operators.c AS integer) IS 'a cast';
CREATE TABLE operators.uses (k operators.c, EXCLUDE USING hash (k WITH operators.===));
CREATE INDEX uses_sorted ON operators.uses (k operators.c_ops);
INSERT INTO operators.uses SELECT ROW(i)::operators.c FROM generate_series(1, 50) i;

-- @ section conversions
CREATE SCHEMA conversions;
CREATE CONVERSION conversions.own FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION conversions.standard FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
COMMENT ON CONVERSION conversions.own IS 'converts';
ALTER CONVERSION conversions.own OWNER TO matrix_owner;

-- @ section languages
CREATE FUNCTION public.pl_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION public.pl_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION public.pl_validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE other_pl HANDLER public.pl_handler INLINE public.pl_inline VALIDATOR public.pl_validator;
CREATE TRUSTED LANGUAGE trusted_pl HANDLER public.pl_handler;
ALTER LANGUAGE trusted_pl OWNER TO matrix_owner;
COMMENT ON LANGUAGE other_pl IS 'one more';
GRANT USAGE ON LANGUAGE trusted_pl TO matrix_reader;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC;
CREATE FUNCTION public.in_other() RETURNS integer LANGUAGE other_pl AS 'BEGIN RETURN 1; END';
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
COMMENT ON TRANSFORM FOR integer LANGUAGE sql IS 'there and back';
CREATE FUNCTION public.transformed(integer) RETURNS integer LANGUAGE sql TRANSFORM FOR TYPE integer AS 'SELECT $1';

-- @ section access_methods
CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD tree TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD pile IS 'a heap by another name';
CREATE TABLE public.in_a_pile (a integer) USING pile;
INSERT INTO public.in_a_pile SELECT generate_series(1, 100);
CREATE MATERIALIZED VIEW public.pile_view USING pile AS SELECT a + 1 AS b FROM public.in_a_pile;

-- @ section collations
CREATE SCHEMA collations;
CREATE COLLATION collations.own (PROVIDER = libc, LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
CREATE COLLATION collations.copied (LOCALE = 'POSIX');
COMMENT ON COLLATION collations.own IS 'sorts';
ALTER COLLATION collations.own OWNER TO matrix_owner;
CREATE TABLE collations.uses (a text COLLATE collations.own, b text COLLATE collations.copied);
CREATE INDEX uses_b ON collations.uses (b COLLATE collations.own);
CREATE DOMAIN collations.d AS text COLLATE collations.own;
INSERT INTO collations.uses VALUES ('B', 'a'), ('a', 'B');

-- @ section icu_collations icu=true
CREATE SCHEMA icu_collations;
CREATE COLLATION icu_collations.german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE COLLATION icu_collations.loose (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TABLE icu_collations.uses (a text COLLATE icu_collations.loose PRIMARY KEY);
INSERT INTO icu_collations.uses VALUES ('a'), ('b');

-- @ section text_search
CREATE SCHEMA text_search;
CREATE TEXT SEARCH PARSER text_search.own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE text_search.own_template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH DICTIONARY text_search.own_dictionary (TEMPLATE = text_search.own_template, STOPWORDS = english, accept = false);
CREATE TEXT SEARCH DICTIONARY text_search.plain (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION text_search.own (PARSER = text_search.own_parser);
ALTER TEXT SEARCH CONFIGURATION text_search.own ADD MAPPING FOR asciiword, word WITH text_search.own_dictionary, simple;
ALTER TEXT SEARCH CONFIGURATION text_search.own ADD MAPPING FOR int WITH text_search.plain;
CREATE TEXT SEARCH CONFIGURATION text_search.copied (COPY = pg_catalog.english);
COMMENT ON TEXT SEARCH CONFIGURATION text_search.own IS 'searches';
COMMENT ON TEXT SEARCH DICTIONARY text_search.plain IS 'a dictionary';
COMMENT ON TEXT SEARCH PARSER text_search.own_parser IS 'a parser';
COMMENT ON TEXT SEARCH TEMPLATE text_search.own_template IS 'a template';
ALTER TEXT SEARCH CONFIGURATION text_search.own OWNER TO matrix_owner;
ALTER TEXT SEARCH DICTIONARY text_search.plain OWNER TO matrix_owner;
CREATE TABLE text_search.uses (body text, v tsvector GENERATED ALWAYS AS (to_tsvector('text_search.copied', body)) STORED, c regconfig DEFAULT 'text_search.own');
CREATE INDEX uses_gin ON text_search.uses USING gin (to_tsvector('text_search.copied', body));
INSERT INTO text_search.uses (body) SELECT 'words and ' || i FROM generate_series(1, 50) i;

-- @ section foreign
CREATE SCHEMA foreigners;
CREATE FOREIGN DATA WRAPPER own_wrapper OPTIONS (debug 'true', "Odd ""key" 'it''s');
CREATE SERVER far TYPE 'none' VERSION '1.2' FOREIGN DATA WRAPPER own_wrapper OPTIONS (host 'nowhere', port '1');
CREATE SERVER bare FOREIGN DATA WRAPPER own_wrapper;
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password 'no secret');
CREATE USER MAPPING FOR matrix_reader SERVER far;
CREATE FOREIGN TABLE foreigners.f (a integer OPTIONS (column_name 'x') NOT NULL, b text DEFAULT 'd' COLLATE "C", CHECK (a > 0) NO INHERIT, g integer GENERATED ALWAYS AS (a + 1) STORED) SERVER far OPTIONS (table_name 't');
CREATE TABLE foreigners.parts (a integer, b text) PARTITION BY LIST (a);
CREATE TABLE foreigners.parts_1 PARTITION OF foreigners.parts FOR VALUES IN (1);
CREATE FOREIGN TABLE foreigners.parts_2 PARTITION OF foreigners.parts FOR VALUES IN (2) SERVER bare;
CREATE TABLE foreigners.parent (a integer);
CREATE FOREIGN TABLE foreigners.heir (b integer) INHERITS (foreigners.parent) SERVER bare;
INSERT INTO foreigners.parts VALUES (1, 'here');
COMMENT ON FOREIGN DATA WRAPPER own_wrapper IS 'wraps';
COMMENT ON SERVER far IS 'serves';
COMMENT ON FOREIGN TABLE foreigners.f IS 'is far';
COMMENT ON COLUMN foreigners.f.a IS 'a far column';
GRANT USAGE ON FOREIGN DATA WRAPPER own_wrapper TO matrix_owner WITH GRANT OPTION;
GRANT USAGE ON FOREIGN SERVER far TO matrix_reader;
GRANT SELECT, UPDATE (b) ON foreigners.f TO matrix_reader;
ALTER SERVER bare OWNER TO matrix_owner;
ALTER FOREIGN TABLE foreigners.f OWNER TO matrix_owner;
ALTER FOREIGN TABLE foreigners.heir ALTER COLUMN b SET STATISTICS 7;

-- @ section relations
CREATE SCHEMA relations AUTHORIZATION matrix_owner;
COMMENT ON SCHEMA relations IS 'what has rows';
CREATE TABLE relations.kinds (
  id bigint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5) PRIMARY KEY, other smallint GENERATED BY DEFAULT AS IDENTITY,
  s serial, big numeric(30,10) DEFAULT 1.5, doubled bigint GENERATED ALWAYS AS (length(body) * 2) STORED, body text COMPRESSION pglz DEFAULT 'x''y' || 'z',
  at timestamptz DEFAULT now(), raw bytea, doc jsonb DEFAULT '{}', bits bit(5), ch char(3), tags text[][] DEFAULT '{}', x xml, "select" int, "Ünïcode ""q""" text,
  CONSTRAINT sane CHECK (big > 0 AND body IS NOT NULL), CONSTRAINT "Odd name" UNIQUE (body, s) INCLUDE (big) WITH (fillfactor = 80) DEFERRABLE INITIALLY DEFERRED)
  WITH (fillfactor = 60, autovacuum_enabled = off, toast.autovacuum_enabled = off, parallel_workers = 3);
ALTER TABLE relations.kinds ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN raw SET STORAGE MAIN, ALTER COLUMN s SET STATISTICS 321, ALTER COLUMN big SET (n_distinct = -0.5, n_distinct_inherited = 7);
ALTER TABLE relations.kinds DROP COLUMN ch;
ALTER TABLE relations.kinds ADD COLUMN late text DEFAULT 'missing value' NOT NULL;
INSERT INTO relations.kinds (at, body, raw, bits, x, "select") SELECT '2020-02-02 03:04:05.678+00'::timestamptz + i * interval '1 min', 'row ' || i, decode(repeat(md5(i::text), i % 20), 'hex'), B'10101', '<a/>', i FROM generate_series(1, 300) i;
ALTER TABLE relations.kinds ADD COLUMN later int DEFAULT 42;
COMMENT ON TABLE relations.kinds IS 'of all kinds';
COMMENT ON COLUMN relations.kinds."Ünïcode ""q""" IS 'odd';
COMMENT ON CONSTRAINT sane ON relations.kinds IS 'a check';
COMMENT ON INDEX relations."Odd name" IS 'of a constraint';
COMMENT ON SEQUENCE relations.kinds_s_seq IS 'counts';
CREATE TABLE relations.empty ();
INSERT INTO relations.empty SELECT FROM generate_series(1, 3);
CREATE UNLOGGED TABLE relations.unlogged (a integer PRIMARY KEY);
INSERT INTO relations.unlogged VALUES (1), (2);
CREATE TABLE relations.was_unlogged (a serial);
ALTER TABLE relations.was_unlogged SET UNLOGGED;
ALTER TABLE relations.was_unlogged SET LOGGED;
CREATE TABLE relations.a (id integer PRIMARY KEY, b_id integer, self integer UNIQUE REFERENCES relations.a (self));
CREATE TABLE relations.b (id integer PRIMARY KEY, a_id integer CONSTRAINT to_a REFERENCES relations.a DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE relations.a ADD CONSTRAINT to_b FOREIGN KEY (b_id) REFERENCES relations.b MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE;
INSERT INTO relations.a SELECT i, NULL, i FROM generate_series(1, 20) i;
INSERT INTO relations.b SELECT i, 21 - i FROM generate_series(1, 20) i;
UPDATE relations.a SET b_id = id;
CREATE TABLE relations.period (k int, r tsrange, EXCLUDE USING gist (r WITH &&) WHERE (k > 0), EXCLUDE USING btree ((k + 1) WITH =) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO relations.period VALUES (1, '[2020-01-01,2021-01-01)'), (2, 'empty');
ALTER TABLE relations.a ADD CONSTRAINT late CHECK (id < 1000) NOT VALID;
ALTER TABLE relations.b ADD CONSTRAINT late_fk FOREIGN KEY (a_id) REFERENCES relations.a NOT VALID;
CREATE TABLE relations.replica_full (a int); ALTER TABLE relations.replica_full REPLICA IDENTITY FULL;
CREATE TABLE relations.replica_nothing (a int); ALTER TABLE relations.replica_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE relations.replica_index (a int NOT NULL, b int); CREATE UNIQUE INDEX replica_idx ON relations.replica_index (a); ALTER TABLE relations.replica_index REPLICA IDENTITY USING INDEX replica_idx;
CREATE TABLE relations.parent (a integer DEFAULT 1, b text NOT NULL, CHECK (a > 0), CHECK (a < 99) NO INHERIT);
CREATE TABLE relations.child (c integer) INHERITS (relations.parent);
CREATE TABLE relations.other_parent (d integer);
CREATE TABLE relations.two_parents (a integer DEFAULT 2) INHERITS (relations.parent, relations.other_parent);
INSERT INTO relations.child VALUES (1, 'x', 2); INSERT INTO relations.two_parents VALUES (3, 'y', 4); INSERT INTO relations.parent VALUES (9, 'p');
ALTER TABLE relations.kinds CLUSTER ON kinds_pkey;
GRANT SELECT, INSERT ON relations.kinds TO matrix_reader; GRANT UPDATE (body, big), REFERENCES (id) ON relations.kinds TO matrix_reader WITH GRANT OPTION;
GRANT ALL ON ALL SEQUENCES IN SCHEMA relations TO matrix_reader;
ALTER TABLE relations.a OWNER TO matrix_owner; ALTER TABLE relations.was_unlogged OWNER TO "Odd ""Role""";

-- @ section partitions
CREATE SCHEMA partitions;
CREATE TYPE partitions.color AS ENUM ('red', 'green', 'blue');
CREATE TABLE partitions.by_list (a text, b int, CHECK (b > 0)) PARTITION BY LIST (lower(a));
CREATE TABLE partitions.list_1 PARTITION OF partitions.by_list FOR VALUES IN ('x', 'it''s', NULL);
CREATE TABLE partitions.list_rest PARTITION OF partitions.by_list DEFAULT PARTITION BY HASH (b);
CREATE TABLE partitions.list_rest_0 PARTITION OF partitions.list_rest FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE partitions.list_rest_1 PARTITION OF partitions.list_rest FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE partitions.list_rest_2 PARTITION OF partitions.list_rest FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE partitions.by_range (id int, at date NOT NULL, v text DEFAULT 'd', PRIMARY KEY (id, at)) PARTITION BY RANGE (at, id);
CREATE TABLE partitions.range_low (v text DEFAULT 'own', extra int, at date NOT NULL, id int NOT NULL);
ALTER TABLE partitions.range_low DROP COLUMN extra;
ALTER TABLE partitions.by_range ATTACH PARTITION partitions.range_low FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01', 5);
CREATE UNLOGGED TABLE partitions.range_high PARTITION OF partitions.by_range (CHECK (id < 10000)) FOR VALUES FROM ('2020-01-01', 5) TO (MAXVALUE, MAXVALUE) WITH (fillfactor = 50);
CREATE INDEX by_range_v ON partitions.by_range (v) WHERE v <> '';
CREATE INDEX ON ONLY partitions.by_range (at);
CREATE TABLE partitions.by_color (c partitions.color, n int) PARTITION BY HASH (c);
CREATE TABLE partitions.color_0 PARTITION OF partitions.by_color FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE partitions.color_1 PARTITION OF partitions.by_color FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE partitions.refers (id int, at date, FOREIGN KEY (id, at) REFERENCES partitions.by_range) PARTITION BY LIST (id);
CREATE TABLE partitions.refers_1 PARTITION OF partitions.refers DEFAULT;
CREATE TABLE partitions.no_leaves (a int) PARTITION BY RANGE (a);
INSERT INTO partitions.by_list SELECT CASE WHEN i % 3 = 0 THEN 'X' WHEN i % 3 = 1 THEN NULL ELSE 'y' || i END, i FROM generate_series(1, 200) i;
INSERT INTO partitions.by_range SELECT i, '2019-06-01'::date + i, 'v' || i FROM generate_series(1, 400) i;
INSERT INTO partitions.by_color SELECT (enum_range(NULL::partitions.color))[1 + i % 3], i FROM generate_series(1, 60) i;
INSERT INTO partitions.refers SELECT i, '2019-06-01'::date + i FROM generate_series(1, 40) i;
COMMENT ON TABLE partitions.list_1 IS 'a leaf';
GRANT SELECT ON partitions.list_rest TO matrix_reader;

-- @ section views
CREATE SCHEMA views;
CREATE TABLE views.t (id int PRIMARY KEY, v text, n int);
INSERT INTO views.t SELECT i, 'v' || i, i % 7 FROM generate_series(1, 100) i;
CREATE VIEW views.plain WITH (security_barrier) AS SELECT id, v FROM views.t WHERE n > 3 WITH LOCAL CHECK OPTION;
CREATE VIEW views.grouped AS SELECT id, v, n FROM views.t GROUP BY id;
CREATE VIEW views.on_grouped AS SELECT count(*) FROM views.grouped;
CREATE RECURSIVE VIEW views.counted (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counted WHERE n < 5;
ALTER VIEW views.plain ALTER COLUMN v SET DEFAULT 'from the view';
CREATE RULE into_plain AS ON INSERT TO views.plain DO INSTEAD INSERT INTO views.t VALUES (NEW.id, NEW.v, 5) RETURNING id, v;
CREATE RULE notes AS ON UPDATE TO views.t DO ALSO NOTIFY changed;
CREATE RULE never AS ON DELETE TO views.t DO INSTEAD NOTHING;
ALTER TABLE views.t DISABLE RULE never;
CREATE MATERIALIZED VIEW views.full_one AS SELECT n, count(*) AS many FROM views.t GROUP BY n;
CREATE UNIQUE INDEX full_one_n ON views.full_one (n);
CREATE MATERIALIZED VIEW views.on_full WITH (fillfactor = 70) AS SELECT sum(many) AS total FROM views.full_one;
CREATE MATERIALIZED VIEW views.empty_one AS SELECT * FROM views.t WITH NO DATA;
CREATE MATERIALIZED VIEW views.of_grouped AS SELECT * FROM views.grouped;
ALTER MATERIALIZED VIEW views.full_one CLUSTER ON full_one_n;
ALTER MATERIALIZED VIEW views.full_one ALTER COLUMN many SET STATISTICS 77;
COMMENT ON VIEW views.plain IS 'a view'; COMMENT ON COLUMN views.plain.v IS 'of a view'; COMMENT ON MATERIALIZED VIEW views.full_one IS 'filled';
COMMENT ON RULE never ON views.t IS 'not in force'; COMMENT ON INDEX views.full_one_n IS 'of a view';
GRANT SELECT ON views.plain TO PUBLIC; GRANT SELECT ON views.full_one TO matrix_owner; GRANT USAGE ON SCHEMA views TO matrix_owner; GRANT SELECT (id) ON views.grouped TO matrix_reader;
ALTER VIEW views.plain OWNER TO matrix_owner; ALTER MATERIALIZED VIEW views.on_full OWNER TO matrix_owner;
CREATE VIEW views.of_types AS SELECT '2020-01-01'::date AS d, 'x'::char(3) AS c, interval '1 day' AS i, ARRAY[1.5]::numeric(5,2)[] AS a, NULL::text AS nothing, (SELECT t FROM views.t LIMIT 1) AS whole;

-- @ section indexes
CREATE SCHEMA indexes;
CREATE TABLE indexes.t (a int, b text, c int[], d tsvector, e point, f box, g timestamp, h inet, r int4range);
INSERT INTO indexes.t SELECT i, 'b' || i, ARRAY[i, i + 1], to_tsvector('simple', 'w' || i), point(i, i), box(point(i, i), point(0, 0)), '2020-01-01'::timestamp + i * interval '1 min', '10.0.0.1', int4range(i, i + 3) FROM generate_series(1, 500) i;
CREATE INDEX plain ON indexes.t (a DESC NULLS LAST, b COLLATE "C" text_pattern_ops);
CREATE INDEX partial ON indexes.t (a) WHERE b LIKE 'b1%' AND a IS NOT NULL;
CREATE INDEX expression ON indexes.t (lower(b), (a + 1), (b || 'x') text_pattern_ops);
CREATE UNIQUE INDEX covering ON indexes.t (a) INCLUDE (b, g) WITH (fillfactor = 55, deduplicate_items = off);
CREATE INDEX brin ON indexes.t USING brin (g timestamp_minmax_multi_ops (values_per_range = 16), a) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX brin_bloom ON indexes.t USING brin (a int4_bloom_ops (n_distinct_per_range = 100, false_positive_rate = 0.05));
CREATE INDEX gin ON indexes.t USING gin (c, d) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX gist ON indexes.t USING gist (e, f, d tsvector_ops (siglen = 64)) WITH (buffering = on);
CREATE INDEX spgist ON indexes.t USING spgist (h) INCLUDE (a);
CREATE INDEX spgist_quad ON indexes.t USING spgist (e quad_point_ops);
CREATE INDEX hash ON indexes.t USING hash (b) WITH (fillfactor = 60);
ALTER INDEX indexes.expression ALTER COLUMN 2 SET STATISTICS 500;
COMMENT ON INDEX indexes.gist IS 'spreads';
CREATE STATISTICS indexes.all_kinds (ndistinct, dependencies, mcv) ON a, b FROM indexes.t;
CREATE STATISTICS indexes.of_expression ON (a % 7), lower(b), g FROM indexes.t;
ALTER STATISTICS indexes.all_kinds SET STATISTICS 99;
COMMENT ON STATISTICS indexes.all_kinds IS 'figures';
ALTER STATISTICS indexes.of_expression OWNER TO matrix_owner;

-- @ section broken_index
CREATE TABLE public.has_broken (a integer);
INSERT INTO public.has_broken VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY broken ON public.has_broken (a);
-- @ lost
DROP INDEX public.broken;

-- @ section triggers
CREATE SCHEMA triggers;
CREATE TABLE triggers.t (a int, b int);
CREATE FUNCTION triggers.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a ON triggers.t FOR EACH ROW WHEN (NEW.a IS DISTINCT FROM 5) EXECUTE FUNCTION triggers.f('x', 'it''s');
CREATE TRIGGER after_all AFTER TRUNCATE ON triggers.t FOR EACH STATEMENT EXECUTE FUNCTION triggers.f();
CREATE TRIGGER with_tables AFTER DELETE ON triggers.t REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION triggers.f();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON triggers.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION triggers.f();
CREATE TABLE triggers.referred (id int PRIMARY KEY);
CREATE CONSTRAINT TRIGGER tells AFTER UPDATE ON triggers.t FROM triggers.referred NOT DEFERRABLE FOR EACH ROW EXECUTE FUNCTION triggers.f();
CREATE TRIGGER off BEFORE DELETE ON triggers.t FOR EACH ROW EXECUTE FUNCTION triggers.f();
CREATE TRIGGER always_on BEFORE DELETE ON triggers.t FOR EACH ROW EXECUTE FUNCTION triggers.f();
CREATE TRIGGER on_replica BEFORE DELETE ON triggers.t FOR EACH ROW EXECUTE FUNCTION triggers.f();
ALTER TABLE triggers.t DISABLE TRIGGER off; ALTER TABLE triggers.t ENABLE ALWAYS TRIGGER always_on; ALTER TABLE triggers.t ENABLE REPLICA TRIGGER on_replica;
CREATE VIEW triggers.v AS SELECT * FROM triggers.t;
CREATE TRIGGER instead INSTEAD OF INSERT ON triggers.v FOR EACH ROW EXECUTE FUNCTION triggers.f();
CREATE TABLE triggers.parts (a int) PARTITION BY LIST (a);
CREATE TABLE triggers.parts_1 PARTITION OF triggers.parts FOR VALUES IN (1);
CREATE TRIGGER of_parts AFTER INSERT ON triggers.parts FOR EACH ROW EXECUTE FUNCTION triggers.f();
ALTER TABLE triggers.parts_1 DISABLE TRIGGER of_parts;
COMMENT ON TRIGGER off ON triggers.t IS 'not in force';
INSERT INTO triggers.t VALUES (1, 2);

-- @ section event_triggers
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN IF current_setting(''application_name'') = ''nobody'' THEN RAISE ''no''; END IF; END';
CREATE EVENT TRIGGER watch_all ON ddl_command_end EXECUTE FUNCTION public.watch();
CREATE EVENT TRIGGER watch_some ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP FUNCTION') EXECUTE FUNCTION public.watch();
CREATE EVENT TRIGGER watch_off ON sql_drop EXECUTE FUNCTION public.watch();
CREATE EVENT TRIGGER watch_always ON table_rewrite EXECUTE FUNCTION public.watch();
ALTER EVENT TRIGGER watch_off DISABLE; ALTER EVENT TRIGGER watch_always ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER watch_some IS 'looks on';

-- @ section policies
CREATE SCHEMA policies;
CREATE TABLE policies.t (a int, who name DEFAULT CURRENT_USER);
INSERT INTO policies.t SELECT generate_series(1, 30);
ALTER TABLE policies.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON policies.t AS RESTRICTIVE FOR UPDATE TO matrix_reader, "Odd ""Role""" USING (who = CURRENT_USER) WITH CHECK (a > 0);
CREATE POLICY "for all" ON policies.t USING (a IN (SELECT a FROM policies.t));
CREATE POLICY adds ON policies.t FOR INSERT WITH CHECK (true);
CREATE TABLE policies.forced (a int); ALTER TABLE policies.forced FORCE ROW LEVEL SECURITY;
CREATE TABLE policies.both (a int); ALTER TABLE policies.both ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY mine ON policies.t IS 'restricts';

-- @ section publications
CREATE SCHEMA published;
CREATE TABLE published.a (id int PRIMARY KEY, v text);
CREATE TABLE published.b (id int PRIMARY KEY, v text);
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION "some" FOR TABLE published.a, ONLY published.b WITH (publish = 'insert, update, delete', publish_via_partition_root = true);
CREATE PUBLICATION nothing WITH (publish = '');
COMMENT ON PUBLICATION "some" IS 'tells';
ALTER PUBLICATION "some" OWNER TO matrix_super;

-- @ section publications_15 since=15
CREATE SCHEMA published_15;
CREATE TABLE published_15.a (id int PRIMARY KEY, v text, secret text);
CREATE PUBLICATION columns_and_rows FOR TABLE published_15.a (id, v) WHERE (id > 5);
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA published_15, public;

-- @ section publications_18 since=18
CREATE PUBLICATION generated FOR ALL TABLES WITH (publish_generated_columns = stored);

-- @ section in_system_schemas reader=refuses
CREATE FUNCTION pg_catalog.matrix_own() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TABLE information_schema.matrix_own (a integer);
-- @ lost
DROP FUNCTION pg_catalog.matrix_own();
DROP TABLE information_schema.matrix_own;

-- @ section subscriptions reader=refuses
CREATE SUBSCRIPTION hears CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION p, "Odd p" WITH (connect = false, slot_name = NONE, binary = true, streaming = true, synchronous_commit = 'local');
COMMENT ON SUBSCRIPTION hears IS 'listens';

-- @ section sequences
CREATE SCHEMA counters;
CREATE SEQUENCE counters.odd AS smallint INCREMENT -3 MINVALUE -30000 MAXVALUE 5 START 2 CACHE 7 CYCLE;
SELECT nextval('counters.odd');
CREATE SEQUENCE counters.fresh START 17;
CREATE SEQUENCE counters.called; SELECT setval('counters.called', 9000, true);
CREATE SEQUENCE counters.uncalled; SELECT setval('counters.uncalled', 9000, false);
CREATE TABLE counters.t (id int DEFAULT nextval('counters.called'));
ALTER SEQUENCE counters.called OWNED BY counters.t.id;
GRANT USAGE ON SEQUENCE counters.odd TO matrix_reader;
ALTER SEQUENCE counters.odd OWNER TO matrix_owner;
COMMENT ON SEQUENCE counters.odd IS 'counts down';

-- @ section sequences_15 since=15
CREATE UNLOGGED SEQUENCE public.fast_sequence; SELECT nextval('public.fast_sequence');
CREATE TABLE public.not_distinct (a int UNIQUE NULLS NOT DISTINCT);
CREATE VIEW public.invoker WITH (security_invoker = true) AS SELECT a FROM public.not_distinct;

-- @ section large_objects
SELECT lo_from_bytea(71001, 'one'), lo_from_bytea(71002, decode(repeat('00ff', 9000), 'hex')), lo_create(71003);
ALTER LARGE OBJECT 71001 OWNER TO matrix_owner;
GRANT SELECT ON LARGE OBJECT 71001, 71002 TO matrix_reader WITH GRANT OPTION;
COMMENT ON LARGE OBJECT 71002 IS 'holds zeros';
CREATE TABLE public.blobs (id oid); INSERT INTO public.blobs VALUES (71001), (71002);

-- @ section system_privileges reader=refuses
REVOKE EXECUTE ON FUNCTION pg_catalog.version() FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_user_mapping TO matrix_reader;

-- @ section extensions
CREATE SCHEMA extensions;
CREATE EXTENSION hstore WITH SCHEMA extensions;
CREATE EXTENSION citext;
CREATE EXTENSION pgcrypto WITH SCHEMA extensions;
CREATE EXTENSION unaccent WITH SCHEMA extensions;
CREATE EXTENSION "uuid-ossp";
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION cube;
CREATE EXTENSION earthdistance;
COMMENT ON EXTENSION citext IS 'letters, small and large';
CREATE SERVER other_postgres FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
CREATE TABLE extensions.uses (id uuid DEFAULT public.uuid_nil(), h extensions.hstore, c public.citext PRIMARY KEY, k public.cube);
CREATE INDEX uses_h ON extensions.uses USING gin (h);
CREATE INDEX uses_k ON extensions.uses USING gist (k);
INSERT INTO extensions.uses SELECT public.uuid_nil(), extensions.hstore('a', i::text), 'Key ' || i, public.cube(i) FROM generate_series(1, 40) i;
CREATE DOMAIN extensions.mail AS public.citext CHECK (VALUE ~ '@');
CREATE VIEW extensions.calls AS SELECT extensions.digest('x', 'md5') AS d;
CREATE TEXT SEARCH CONFIGURATION extensions.plain (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION extensions.plain ALTER MAPPING FOR hword, word WITH extensions.unaccent, simple;

-- @ section extension_privileges reader=refuses
CREATE EXTENSION pg_buffercache;
GRANT EXECUTE ON FUNCTION public.pg_buffercache_pages() TO matrix_reader;

-- @ section tied_to_extension reader=refuses
CREATE EXTENSION seg;
CREATE TABLE public.tied (s public.seg);
CREATE INDEX tied_idx ON public.tied USING gist (s);
ALTER INDEX public.tied_idx DEPENDS ON EXTENSION seg;

-- @ section tablespaces
CREATE SCHEMA spaces;
CREATE TABLE spaces.here (a int PRIMARY KEY) TABLESPACE matrix_space;
INSERT INTO spaces.here SELECT generate_series(1, 100);
CREATE INDEX there ON spaces.here (a) TABLESPACE matrix_space;
CREATE TABLE spaces.mixed (a int, CONSTRAINT mixed_key PRIMARY KEY (a) USING INDEX TABLESPACE matrix_space);
CREATE MATERIALIZED VIEW spaces.view TABLESPACE matrix_space AS SELECT a FROM spaces.here;
CREATE TABLE spaces.parts (a int) PARTITION BY LIST (a) TABLESPACE matrix_space;
CREATE TABLE spaces.parts_1 PARTITION OF spaces.parts FOR VALUES IN (1) TABLESPACE pg_default;

-- @ section disabled_constraint_triggers reader=refuses
CREATE TABLE public.ref_to (id int PRIMARY KEY);
CREATE TABLE public.ref_from (id int REFERENCES public.ref_to);
ALTER TABLE public.ref_from DISABLE TRIGGER ALL;
-- @ lost
ALTER TABLE public.ref_from ENABLE TRIGGER ALL;

-- @ section since_16 since=16
CREATE SCHEMA since_16;
CREATE TABLE since_16.t (a text STORAGE MAIN, j jsonb CHECK (j IS JSON OBJECT));
CREATE VIEW since_16.v AS SELECT json_arrayagg(a) AS x FROM since_16.t;

-- @ section since_17 since=17
CREATE SCHEMA since_17;
CREATE TABLE since_17.parts (id bigint GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE since_17.parts_1 PARTITION OF since_17.parts FOR VALUES IN (1);
CREATE VIEW since_17.v AS SELECT * FROM json_table('[1]'::jsonb, '$[*]' COLUMNS (a int PATH '$'));
INSERT INTO since_17.parts (k) VALUES (1);
CREATE COLLATION since_17.builtin (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE EVENT TRIGGER logs_in ON login EXECUTE FUNCTION public.watch();

-- @ section excluding_partitions since=17 reader=refuses
CREATE TABLE public.excluding (k int, EXCLUDE USING btree (k WITH =)) PARTITION BY LIST (k);
CREATE TABLE public.excluding_1 PARTITION OF public.excluding FOR VALUES IN (1);

-- @ section since_18 since=18
CREATE SCHEMA since_18;
CREATE TABLE since_18.t (a int CONSTRAINT named NOT NULL, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, p tstzrange, k int4range,
  CONSTRAINT once PRIMARY KEY (k, p WITHOUT OVERLAPS), CONSTRAINT not_enforced CHECK (a > 0) NOT ENFORCED);
CREATE TABLE since_18.refers (p tstzrange, k int4range, FOREIGN KEY (k, PERIOD p) REFERENCES since_18.t (k, PERIOD p));
INSERT INTO since_18.t (a, p, k) VALUES (1, '[2020-01-01,2021-01-01)', '[1,5)');
INSERT INTO since_18.refers VALUES ('[2020-02-01,2020-03-01)', '[1,5)');
ALTER TABLE since_18.refers ADD CONSTRAINT late NOT NULL k NOT VALID;

-- @ section privileges
CREATE SCHEMA privileges;
ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner IN SCHEMA privileges GRANT SELECT ON TABLES TO matrix_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner GRANT ALL ON SCHEMAS TO matrix_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner GRANT USAGE ON TYPES TO matrix_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner IN SCHEMA privileges GRANT UPDATE ON SEQUENCES TO "Odd ""Role""";
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO matrix_reader;
CREATE TABLE privileges.born (a int);
ALTER TABLE privileges.born OWNER TO matrix_owner;
GRANT USAGE, CREATE ON SCHEMA privileges TO matrix_owner, matrix_reader;
SET ROLE matrix_owner; CREATE TABLE privileges.granted (a int, b int);
GRANT SELECT (b) ON privileges.granted TO PUBLIC; RESET ROLE;
REVOKE ALL ON privileges.granted FROM matrix_owner;
GRANT CREATE ON SCHEMA public TO matrix_reader;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
CREATE TYPE privileges.t AS ENUM ('a'); REVOKE ALL ON TYPE privileges.t FROM PUBLIC; GRANT USAGE ON TYPE privileges.t TO matrix_reader;
GRANT USAGE ON LANGUAGE plpgsql TO matrix_reader;
COMMENT ON SCHEMA public IS 'for everybody';

-- @ section event_triggers_that_refuse
CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''nothing may be made''; END';
CREATE TABLE public.guarded (a integer PRIMARY KEY);
COMMENT ON TABLE public.guarded IS 'made before the guard';
CREATE MATERIALIZED VIEW public.guarded_view AS SELECT a FROM public.guarded;
CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'COMMENT', 'CREATE VIEW', 'REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION public.refuse();
